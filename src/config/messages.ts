/** How a problem in a configuration is put into words: `KEY: RULE: got VALUE`, one line, no secret. */
import type { z } from 'zod';
import { isSecretKey } from './secrets.ts';

const VALUE_CHARACTERS_MAX = 80;

/** The lines of what zod found in `input`, each problem once, in the order of the schema. */
export function issueLines(issues: readonly z.core.$ZodIssue[], input: unknown): string[] {
  const lines = issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.message.split('\n');
    const key = keyPath(issue.path) || 'the configuration';
    if (issue.code === 'invalid_key') return [`${key}: the key ${issue.issues[0]?.message}`];
    const value = valueAt(input, issue.path);
    if (value === undefined) return [`${key}: is required and ${issue.message}`];
    return [problemLine(key, issue.message, value, mayHoldSecret(issue.path))];
  });
  return [...new Set(lines)];
}

/** One line about a value that breaks a rule. */
export function problemLine(key: string, rule: string, value: unknown, secret = false): string {
  return `${key}: ${rule}: got ${secret ? describeSecret(value) : describe(value)}`;
}

/** `['turn', 'credentials', 0, 'name']` → `turn.credentials[0].name`. */
export function keyPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const name = String(part);
    if (!/^[\w-]+$/.test(name)) return `${text}[${shorten(JSON.stringify(name))}]`;
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

/** A line for each key that the section at `path` does not know, with the known key it may mean. */
export function unknownKeyMessages(
  path: readonly PropertyKey[],
  unknown: readonly string[],
  known: readonly string[],
): string[] {
  return unknown.map((key) => {
    const near = nearest(key, known);
    const hint = near === undefined ? '' : `; did you mean ${keyPath([...path, near])}?`;
    return `${keyPath([...path, key])}: unknown key${hint}`;
  });
}

/** A value as YAML's flow style would have it, cut where it is long. */
function describe(value: unknown): string {
  if (typeof value === 'string' && value.includes('-----BEGIN')) return 'the text of a PEM file';
  if (typeof value === 'string' && /:\/\/[^/]*@/.test(value)) return 'a URL with a user';
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) {
    return shorten(`[${value.map((item) => JSON.stringify(item)).join(', ')}]`);
  }
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  if (typeof value === 'number') return String(value); // JSON has no .nan and .inf
  return shorten(JSON.stringify(value) ?? String(value));
}

function describeSecret(value: unknown): string {
  if (typeof value === 'string') return `${value.length} characters`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return value === null ? 'null' : 'a mapping';
  return `a ${typeof value}`;
}

/** A credential written in a form we do not know has its password anywhere in it. */
function mayHoldSecret(path: readonly PropertyKey[]): boolean {
  return path.some(isSecretKey) || path.findLast((part) => typeof part === 'string') === 'credentials';
}

function shorten(text: string): string {
  return text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX)}…`;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const part of path)
    value = (value as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[part];
  return value;
}

/** The known key closest to a mistyped one, if it is close: at most a third of its letters differ. */
function nearest(key: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(key.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(key.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/**
 * Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment) between two
 * words; endless for a word longer than any key of ours.
 */
function editDistance(a: string, b: string): number {
  if (a.length > 64) return Number.POSITIVE_INFINITY;
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  const cell = (i: number, j: number): number => (i === 0 ? j : (rows[i]?.[j] as number));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const substitution = cell(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? cell(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      rows[i]?.push(Math.min(substitution, cell(i - 1, j) + 1, cell(i, j - 1) + 1, swap));
    }
  }
  return cell(a.length, b.length);
}
