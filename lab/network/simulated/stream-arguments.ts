/** The arguments of `Socket.connect` and `Server.listen` of `node:net`, which come in many shapes. */
import type { TransportAddress } from '../../phone/protocol.ts';

export interface StreamWish extends TransportAddress {
  /** The client's own, where it wishes for one: else '' and 0. */
  readonly local: TransportAddress;
  /** As they were given, where they were: for the real method, with another address. */
  readonly options: object;
  readonly callback: ((...args: unknown[]) => void) | undefined;
}

/** Undefined where it is about anything but a host and a port. */
export function streamWish(args: readonly unknown[]): StreamWish | undefined {
  // `net.connect` hands its own on as one list.
  const [first, second, ...more] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args;
  const last = [first, second, ...more].findLast((argument) => argument !== undefined && argument !== null);
  const callback = typeof last === 'function' ? (last as StreamWish['callback']) : undefined;
  if (typeof first === 'object' && first !== null) {
    const { host, port, localAddress, localPort } = first as Readonly<Record<string, unknown>>;
    if (typeof host !== 'string' || !isPort(port)) return undefined;
    const local = {
      address: typeof localAddress === 'string' ? localAddress : '',
      port: Number(localPort ?? 0),
    };
    return { address: host, port: Number(port), local, options: first, callback };
  }
  if (typeof second !== 'string' || !isPort(first)) return undefined;
  return { address: second, port: Number(first), local: { address: '', port: 0 }, options: {}, callback };
}

function isPort(value: unknown): boolean {
  if (typeof value !== 'number' && typeof value !== 'string') return false;
  const port = Number(value);
  return Number.isInteger(port) && port >= 0 && port < 65_536;
}
