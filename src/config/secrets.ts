/** Which settings are secret, and how they are kept out of everything that is printed. */

/** What stands in place of a secret. */
export const MASK = '********';

/** Names of settings, fields and headers whose values are secret. */
export const SECRET_KEYS: readonly string[] = ['password', 'sharedSecret', 'token', 'authorization'];

/** Whether values under this key (its last part, as `password`) must never be printed. */
export function isSecretKey(key: PropertyKey | undefined): boolean {
  return typeof key === 'string' && SECRET_KEYS.includes(key);
}

/** No setting lies deeper, and what is logged should not; it also ends a walk in circles. */
const DEPTH_MAX = 12;

/**
 * A copy of a tree of plain objects and arrays in which every secret that is set reads {@link MASK}:
 * values under a secret key, and private keys in PEM anywhere. Other objects (errors, sockets) are
 * kept as they are.
 */
export function maskSecrets(value: unknown, depth: number = 0): unknown {
  if (typeof value === 'string') return value.includes('PRIVATE KEY-----') ? MASK : value;
  if (typeof value !== 'object' || value === null) return value;
  if (depth === DEPTH_MAX) return '…';
  if (Array.isArray(value)) return value.map((item) => maskSecrets(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      isSecretKey(key) && inner !== null && inner !== undefined ? MASK : maskSecrets(inner, depth + 1),
    ]),
  );
}
