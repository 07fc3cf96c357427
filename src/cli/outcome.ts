/** What every command has in common: where it writes and how it ends. */

/** Exit codes of every command. */
export const EXIT_FINE = 0;
export const EXIT_FAILED = 1;
/** Wrong usage or configuration. */
export const EXIT_USAGE = 2;

/** Where a command writes; each text ends with its own line break. */
export interface CliOutput {
  out(text: string): void;
  err(text: string): void;
}
