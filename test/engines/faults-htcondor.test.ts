// All that goes wrong with a batch engine, on a real HTCondor.
import { testFaults } from './support/faults.ts';

testFaults('htcondor');
