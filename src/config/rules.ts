/**
 * Building blocks of the schema: each checks one kind of value and carries its rule as the message
 * (`must be …`), which `messages.ts` turns into a line with the key in front and the value behind.
 */
import { z } from 'zod';
import { formatAddress, parseAddress, parsePrefix } from '../wire/address.ts';
import type { PortRange, SocketAddress } from './config.ts';
import { unknownKeyMessages } from './messages.ts';

/** A mapping with exactly these keys. */
export function mapping<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownKeyMessages(issue.path ?? [], issue.keys, Object.keys(shape)).join('\n')
        : 'must be a mapping of settings',
  });
}

/** A mapping that may be left out, or left empty (`turn:` and nothing below): then all its defaults hold. */
export function section<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.ZodPreprocess<z.ZodObject<Shape, z.core.$strict>> {
  return z.preprocess((value) => value ?? {}, mapping(shape));
}

export function integer(min: number, max: number): z.ZodInt {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function autoOrInteger(min: number, max: number): z.ZodType<'auto' | number> {
  return z.custom<'auto' | number>(
    (value) =>
      value === 'auto' || (Number.isInteger(value) && (value as number) >= min && (value as number) <= max),
    { error: `must be auto or a whole number from ${min} to ${max}` },
  );
}

export function decimal(min: number, max: number): z.ZodNumber {
  const error = `must be a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
}

export function flag(): z.ZodBoolean {
  return z.boolean({ error: 'must be true or false' });
}

export function oneOf<const Values extends readonly [string, ...string[]]>(
  ...values: Values
): z.ZodType<Values[number]> {
  return z.enum(values, { error: `must be ${listed(values)}` });
}

/** Text of `min` to `max` characters on one line. */
export function text(min: number, max: number): z.ZodString {
  const error = `must be text of ${min} to ${max} characters on one line`;
  return z
    .string({ error: `${error} (numbers and the like in quotes)` })
    .min(min, { error })
    .max(max, { error })
    .refine((value) => !hasControlCharacter(value), { error });
}

/** A short name for labels and log lines. */
export function label(): z.ZodString {
  const error = 'must be a name of 1 to 64 letters, digits and . _ -';
  return z.string({ error }).regex(/^[A-Za-z0-9._-]{1,64}$/, { error });
}

export function path(): z.ZodString {
  const error = 'must be the path of a file or directory';
  return z
    .string({ error })
    .min(1, { error })
    .refine((value) => !hasControlCharacter(value), { error });
}

/** A bearer token as RFC 6750 §2.1 allows: what a header can carry. */
export function token(): z.ZodString {
  const error = 'must be 1 to 512 of letters, digits and - . _ ~ + / =';
  return z.string({ error }).regex(/^[A-Za-z0-9._~+/=-]{1,512}$/, { error });
}

/** An IPv4 or IPv6 address, made canonical (RFC 5952) so that equal addresses are equal text. */
export function ipAddress(): z.ZodType<string> {
  return canonical('must be an IP address', canonicalAddress);
}

/** As {@link ipAddress}, but not `0.0.0.0` or `::`. */
export function specificAddress(): z.ZodType<string> {
  return canonical('must be an IP address other than 0.0.0.0 and ::', (value) => {
    const address = canonicalAddress(value);
    return address === undefined || isUnspecified(address) ? undefined : address;
  });
}

/** An IP address or a host name (RFC 1123). */
export function host(): z.ZodType<string> {
  const name =
    /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
  return canonical(
    'must be an IP address or a host name',
    // What looks like a dotted quad but is none is a mistyped address, not a name.
    (value) => canonicalAddress(value) ?? (name.test(value) && !/^[\d.]+$/.test(value) ? value : undefined),
  );
}

/** A CIDR as `10.0.0.0/8`, or an address alone as a prefix of full length. */
export function cidr(): z.ZodString {
  const error = 'must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32';
  return z.string({ error }).refine((value) => parsePrefix(value) !== undefined, { error });
}

/** `ADDRESS:PORT` with an IP address, IPv6 in brackets. */
export function socketAddress(portMin: 0 | 1): z.ZodType<SocketAddress> {
  return canonical(
    `must be ADDRESS:PORT with an IP address (IPv6 in brackets) and a port from ${portMin} to 65535`,
    (value) => parseSocketAddress(value, portMin),
  );
}

/** Reads `127.0.0.1:80` or `[::1]:80`; undefined if it is neither. */
export function parseSocketAddress(value: string, portMin: number): SocketAddress | undefined {
  const match = /^(?:\[([^[\]]*:[^[\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(value);
  const address = canonicalAddress(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3]);
  return address !== undefined && port >= portMin && port <= 65_535 ? { address, port } : undefined;
}

/** Two ports, the first before the last (or the same, where `same` says so); judged as a whole. */
export function portRange(min: number, max: number, same: 'distinct' | 'same allowed'): z.ZodType<PortRange> {
  const relation = same === 'distinct' ? '<' : '≤';
  const error = `must be [first, last] with ${min} ≤ first ${relation} last ≤ ${max}`;
  return z.custom<PortRange>(
    (value) => {
      if (!Array.isArray(value) || value.length !== 2 || !value.every(Number.isInteger)) return false;
      const [first, last] = value as [number, number];
      return first >= min && last <= max && (first < last || (same !== 'distinct' && first === last));
    },
    { error },
  );
}

export function listOf<Item extends z.ZodType>(item: Item, what: string): z.ZodArray<Item> {
  return z.array(item, { error: `must be a list of ${what}` });
}

/** True for `0.0.0.0` and `::` (canonical text). */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** True for 127.0.0.0/8 and ::1 (canonical text). */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

export function sameFamily(a: string, b: string): boolean {
  return a.includes(':') === b.includes(':');
}

/** The address in its canonical text (RFC 5952), or undefined if it is none. */
export function canonicalAddress(value: string): string | undefined {
  const bytes = parseAddress(value);
  return bytes && formatAddress(bytes);
}

/** Text that `read` understands, replaced by what it makes of it. */
function canonical<Value extends {}>(
  error: string,
  read: (value: string) => Value | undefined,
): z.ZodType<Value> {
  return z.string({ error }).transform((value, context) => {
    const result = read(value);
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}

function hasControlCharacter(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function listed(values: readonly string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
