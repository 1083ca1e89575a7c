// Names in a results directory that several rooms need to know. Pure.

/** The journal, with the registry of versions and names in it. */
export const JOURNAL_FILE = 'caf.db';

/** Payload bytes by their SHA-256, shared by all calibrations; so no calibration can be called this. */
export const OBJECTS_DIRECTORY = 'objects';
