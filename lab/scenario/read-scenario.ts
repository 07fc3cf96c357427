/** Scenario files: YAML, every problem told at once, each in one line that names the file, the key and the rule. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { issueLines, problemLine } from '../../src/config/messages.ts';
import { LabError } from '../lab-error.ts';
import { checkLines } from './checks.ts';
import type { Scenario } from './scenario.ts';
import { scenarioSchema } from './schema.ts';

/** @throws LabError where the file cannot be read, or holds no scenario */
export function readScenario(file: string): Scenario {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw wrong(file, [`cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`]);
  }
  return loadScenario(text, file);
}

/**
 * @param sourceName for messages
 * @throws LabError
 */
export function loadScenario(text: string, sourceName: string): Scenario {
  const input = parseYaml(text, sourceName);
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw wrong(sourceName, [problemLine('the scenario', 'must be a mapping of settings', input)]);
  }
  const result = scenarioSchema.safeParse(input);
  if (!result.success) {
    const issues = result.error.issues.map((issue) => asWritten(issue, input));
    throw wrong(sourceName, issueLines(issues, input));
  }
  const lines = checkLines(result.data);
  if (lines.length > 0) throw wrong(sourceName, lines);
  return deepFreeze(result.data);
}

function wrong(sourceName: string, lines: readonly string[]): LabError {
  return new LabError(lines.map((line) => `${sourceName}: ${line}`).join('\n'));
}

function parseYaml(text: string, sourceName: string): unknown {
  const document = parseDocument(text, { version: '1.2', stringKeys: true, logLevel: 'error' });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) throw wrong(sourceName, problems.map(syntaxLine));
  try {
    return document.toJS();
  } catch (error) {
    // Aliases that multiply (the “billion laughs”) are refused by the library here.
    throw wrong(sourceName, [`not usable as YAML: ${(error as Error).message}`]);
  }
}

/** Without the excerpt of the text that the library adds. */
function syntaxLine(error: { readonly message: string; readonly linePos?: unknown }): string {
  const [first = ''] = error.message.split('\n');
  const [, problem = first, line, column] = /^(.*) at line (\d+), column (\d+):$/.exec(first) ?? [];
  return line === undefined ? problem : `line ${line}, column ${column}: ${problem}`;
}

/** A party that is a place alone has its place one key higher than the schema has it. */
function asWritten(issue: z.core.$ZodIssue, input: unknown): z.core.$ZodIssue {
  if (issue.path.at(-1) !== 'place') return issue;
  const path = issue.path.slice(0, -1);
  const written = path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown>)[part], input);
  return typeof written === 'object' && written !== null ? issue : { ...issue, path };
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
