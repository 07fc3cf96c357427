import { parseDocument, type YAMLParseError } from 'yaml';
import type { Config } from './config.ts';
import { ConfigError } from './config-error.ts';
import { crossCheckLines } from './cross-checks.ts';
import { issueLines } from './messages.ts';
import { configSchema } from './schema.ts';

/**
 * Reads a configuration from YAML 1.2 text; `undefined` and empty text give the defaults.
 *
 * Everything that is wrong is told at once: syntax first; then every unknown key and every value
 * that breaks its rule; then, once each setting is right on its own, what does not fit together.
 *
 * @param sourceName where the text comes from, for messages: usually the file's path
 * @throws ConfigError
 */
export function loadConfig(text: string | undefined, sourceName: string): Config {
  const input = text === undefined ? {} : (parseYaml(text, sourceName) ?? {});
  const result = configSchema.safeParse(input);
  if (!result.success) throw new ConfigError(sourceName, issueLines(result.error.issues, input));
  const lines = crossCheckLines(result.data, typeof input === 'object' && 'b2bua' in input);
  if (lines.length > 0) throw new ConfigError(sourceName, lines);
  return deepFreeze(result.data);
}

/** The plain value of one YAML document. */
function parseYaml(text: string, sourceName: string): unknown {
  const document = parseDocument(text, {
    version: '1.2',
    stringKeys: true,
    prettyErrors: true,
    logLevel: 'error',
  });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) throw new ConfigError(sourceName, problems.map(syntaxLine));
  try {
    return document.toJS();
  } catch (error) {
    // Aliases that multiply (the “billion laughs”) are refused by the library here.
    throw new ConfigError(sourceName, [`not usable as YAML: ${plainWords((error as Error).message)}`]);
  }
}

function syntaxLine(error: { message: string; linePos?: YAMLParseError['linePos'] }): string {
  const problem = plainWords(error.message);
  const position = error.linePos?.[0];
  return position ? `line ${position.line}, column ${position.col}: ${problem}` : problem;
}

/**
 * The leading plain words of a message of the YAML library. What follows them quotes the text, where
 * there may be a secret (`Unresolved tag: !secret`, `Unknown directive %secret`).
 */
function plainWords(message: string): string {
  const words = /^(?:[\w ,;()./-]|["']quote|[}\]])*/.exec(message)?.[0] ?? '';
  return words.replace(/ at line \d+, column \d+$/, '').trim();
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
