// The same candidates as for the momentum scale, collected with the final scale applied.
export { type DimuonCollectionOptions, dimuonCollection } from '../mass-scale/calibration.ts';
