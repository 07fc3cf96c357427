/** The arguments of `bind` and `send` of `node:dgram`, which come in many shapes. */

export interface BindWish {
  readonly address: string | undefined;
  readonly port: number;
  readonly callback: (() => void) | undefined;
}

export interface SendWish {
  readonly payload: Uint8Array;
  readonly address: string | undefined;
  readonly port: number;
  readonly callback: ((error: Error | null, bytes: number) => void) | undefined;
}

/** Undefined where it is about a descriptor of the system. */
export function bindWish(args: readonly unknown[]): BindWish | undefined {
  const last = args.at(-1);
  const callback = typeof last === 'function' ? (last as () => void) : undefined;
  const [first, second] = args;
  if (typeof first === 'object' && first !== null) {
    if ('recvStart' in first || ('fd' in first && first.fd !== undefined)) return undefined;
    const { address, port } = first as { address?: unknown; port?: unknown };
    return { address: textOf(address), port: Number(port ?? 0), callback };
  }
  return { address: textOf(second), port: typeof first === 'function' ? 0 : Number(first ?? 0), callback };
}

/** `send(message, [offset, length,] port, [address], [callback])`; throws as the real one for what cannot be sent. */
export function sendWish(args: readonly unknown[]): SendWish {
  const [message, ...others] = args;
  const last = others.at(-1);
  const callback = typeof last === 'function' ? (last as SendWish['callback']) : undefined;
  const plain = callback ? others.slice(0, -1) : [...others];
  while (plain.length > 0 && (plain.at(-1) ?? undefined) === undefined) plain.pop();
  // With an offset and a length before the port: text is the address.
  const isPart = plain.length > 2;
  const [port, address] = isPart ? plain.slice(2) : plain;
  const whole = payloadOf(message);
  const payload = isPart ? whole.subarray(Number(plain[0]), Number(plain[0]) + Number(plain[1])) : whole;
  const number = Number(port);
  if (!(Number.isInteger(number) && number > 0 && number < 65_536)) {
    const error = new RangeError(`Port should be > 0 and < 65536. Received ${String(port)}.`);
    throw Object.assign(error, { code: 'ERR_SOCKET_BAD_PORT' });
  }
  return { payload, address: textOf(address), port: number, callback };
}

function payloadOf(message: unknown): Uint8Array {
  if (typeof message === 'string') return Buffer.from(message);
  if (ArrayBuffer.isView(message)) {
    return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
  }
  if (Array.isArray(message)) return Buffer.concat(message.map(payloadOf));
  throw new TypeError('a message must be text, bytes or a list of them');
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
