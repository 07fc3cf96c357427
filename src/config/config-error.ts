/** Thrown for a configuration that cannot be used. {@link lines} has every problem found, one a line. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
  /** Each names the key, the rule and the value; none holds a secret. Without the source's name. */
  readonly lines: readonly string[];
  /** The file the text came from, as the user named it. */
  readonly sourceName: string;

  constructor(sourceName: string, lines: readonly string[]) {
    super(lines.map((line) => `${sourceName}: ${line}`).join('\n'));
    this.name = 'ConfigError';
    this.lines = lines;
    this.sourceName = sourceName;
  }
}
