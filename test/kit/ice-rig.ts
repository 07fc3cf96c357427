/** A component of the B2BUA that answers connectivity checks, and a peer that makes them from RFC 8445 alone. */

import { A, type Attribute, BINDING, encode, type Integrity, REQUEST } from '../../lab/phone/plain-stun.ts';
import { type IceCredentials, IceLiteAgent, IceLiteResponder } from '../../src/ice/lite-agent.ts';
import type { DatagramReceiver } from '../../src/wire/datagram-io.ts';
import { FuzzIo, type Source, source } from '../fuzz/fuzz-io.ts';
import { hmac } from '../fuzz/test-crypto.ts';

export const ICE: Readonly<Record<'priority' | 'useCandidate' | 'controlled' | 'controlling', number>> = {
  priority: 0x0024,
  useCandidate: 0x0025,
  controlled: 0x8029,
  controlling: 0x802a,
};

export const LOCAL: IceCredentials = { ufrag: 'evtjEVTJ', password: 'VOkJxbRl1RmTxUk/WvJxBt+9' };
export const REMOTE_UFRAG = 'h6vY';
export const KEY: Integrity = { algorithm: 'sha1', key: Buffer.from(LOCAL.password) };
export const USERNAME: string = `${LOCAL.ufrag}:${REMOTE_UFRAG}`;
export const TRANSACTION_ID: Uint8Array = Buffer.from('b7e7a701bc34d686fa87dfae', 'hex');
export const PEER: Source = source('192.0.2.1', 32_853);
export const PEER_IPV6: Source = source('2001:db8:1234:5678:11:2233:4455:6677', 32_853);

export const priority: Attribute = { type: ICE.priority, value: Buffer.from('6e0001ff', 'hex') };
export const controlling: Attribute = {
  type: ICE.controlling,
  value: Buffer.from('932ff9b151263b36', 'hex'),
};
export const controlled: Attribute = { ...controlling, type: ICE.controlled };
export const useCandidate: Attribute = { type: ICE.useCandidate, value: Buffer.alloc(0) };

export function username(text: string): Attribute {
  return { type: A.username, value: Buffer.from(text) };
}

export interface CheckParts {
  readonly kind?: number;
  readonly method?: number;
  readonly attributes?: readonly Attribute[];
  /** null: none. */
  readonly integrity?: Integrity | null;
  /** Attributes behind the integrity. */
  readonly after?: readonly Attribute[];
  readonly fingerprint?: boolean;
}

/** A check as a full agent sends it; what is given replaces the part of that name. */
export function check({
  kind = REQUEST,
  method = BINDING,
  attributes = [username(USERNAME), priority, controlling],
  integrity = KEY,
  after = [],
  fingerprint = true,
}: CheckParts = {}): Buffer {
  const message = { method, kind, transactionId: TRANSACTION_ID, attributes };
  return encode(message, { integrity: integrity ?? undefined, after, fingerprint });
}

export interface Judged {
  readonly outcome: number;
  /** What was sent back to the peer. */
  readonly reply: Buffer | undefined;
}

export class IceRig {
  readonly agent: IceLiteAgent;
  readonly io: FuzzIo = new FuzzIo(4);
  readonly #responder = new IceLiteResponder(this.io, hmac);
  readonly #socket: number;
  #outcome = -1;
  #replies: { socket: number; bytes: Buffer; to: string }[] = [];

  constructor(agent: IceLiteAgent = new IceLiteAgent(LOCAL)) {
    this.agent = agent;
    const local = this.io.endpoints.acquire();
    this.io.endpoints.setText(local, '198.51.100.9', 36_000);
    const receiver: DatagramReceiver = {
      batchBegins: () => {},
      receive: (_tag, socket, offset, length, row) => {
        this.#outcome = this.#responder.receive(this.agent, socket, offset, length, row);
      },
      receiveIcmpError: () => {},
      streamClosed: () => {},
      sweep: () => {},
    };
    this.#socket = this.io.open(local, receiver, 0);
    this.io.onSent = (socket, bytes, destination) =>
      this.#replies.push({ socket, bytes, to: this.io.endpoints.text(destination) });
    this.agent.setRemoteUfrag(REMOTE_UFRAG);
  }

  /** Has the packet judged; throws unless whatever is answered goes once, to the sender, from where it came in. */
  receive(packet: Uint8Array, from: Source = PEER): Judged {
    this.#replies = [];
    this.io.deliver(this.#socket, packet, from);
    this.io.flush();
    const [reply, ...more] = this.#replies;
    const isRight = reply?.socket === this.#socket && reply.to.endsWith(`:${from.port}`) && more.length === 0;
    if (reply && !(isRight && reply.to.includes(from.address))) throw new Error(`answered to ${reply.to}`);
    return { outcome: this.#outcome, reply: reply?.bytes };
  }
}
