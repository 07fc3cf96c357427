/** Wrong usage, or something that is missing here: told as it is, with exit code 2. */
export class LabError extends Error {
  readonly code = 'LAB_USAGE';
}

/** An error in one line, with what caused it: `fetch failed` alone says nothing. */
export function errorLine(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  const { message, cause } = error;
  const why = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : undefined;
  return oneLine(why ? `${message}: ${why}` : message);
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' | ');
}
