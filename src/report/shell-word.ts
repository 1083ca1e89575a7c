// Words of a command line as a user would type them in a shell. Pure.

/** Quoted where a shell would not take it as it is. */
export const shellWord = (text: string): string => (/^[\p{L}\p{N}_./:,=@%+-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
