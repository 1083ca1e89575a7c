// All that goes wrong with a batch engine, on a real Slurm.
import { testFaults } from './support/faults.ts';

testFaults('slurm');
