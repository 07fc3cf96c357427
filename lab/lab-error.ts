/** Wrong usage, or something that is missing here: told in one line, with exit code 2. */
export class LabError extends Error {
  readonly code = 'LAB_USAGE';
}
