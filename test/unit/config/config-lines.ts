import { ConfigError } from '../../../src/config/config-error.ts';
import { loadConfig } from '../../../src/config/load.ts';

/** The lines with which a configuration is refused; empty where it is accepted. */
export function linesOf(text: string): readonly string[] {
  try {
    loadConfig(text, 'causeway.yaml');
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
}
