/** A relay at a TURN server, by werift's client: a TURN implementation that knows nothing of ours. */
import { randomBytes } from 'node:crypto';
import { classes, Message, methods, TurnProtocol } from 'werift';
import { A, encode, encodeXorAddress, INDICATION, SEND } from './plain-stun.ts';
import type { TransportAddress, TurnAccess } from './protocol.ts';
import { transportText } from './transport-address.ts';

const LIFETIME_SECONDS = 600;
/** Before permissions end, which they do after 300 s (RFC 8656 §9). */
const RENEWAL_SECONDS = 240;
const RELEASE_MS_MAX = 500;

export class TurnRelay {
  readonly place: TransportAddress;
  onData: (bytes: Buffer, from: TransportAddress) => void = () => {};
  readonly #turn: TurnProtocol;
  /** By address: whether the server has let it send. */
  readonly #permitted = new Map<string, Promise<boolean>>();
  readonly #channels = new Set<string>();
  readonly #renewal: NodeJS.Timeout;
  /** One request at a time: they share a nonce. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(turn: TurnProtocol) {
    this.#turn = turn;
    const [address, port] = turn.relayedAddress;
    this.place = { address, port };
    turn.onData.subscribe((bytes, [host, number]) => this.onData(bytes, { address: host, port: number }));
    this.#renewal = setInterval(() => this.#renew(), RENEWAL_SECONDS * 1000);
    this.#renewal.unref();
  }

  /** @throws Error (rejects) where the server gives none, or does not answer; the transport is closed then */
  static async allocate(access: TurnAccess, transport: TurnProtocol['transport']): Promise<TurnRelay> {
    const { server, username, password } = access;
    const turn = new TurnProtocol(
      [server.address, server.port],
      username,
      password,
      LIFETIME_SECONDS,
      transport,
      { channelRefreshTime: RENEWAL_SECONDS },
    );
    try {
      await turn.connectionMade();
      return new TurnRelay(turn);
    } catch (error) {
      await transport.close();
      throw error;
    }
  }

  /** Lets a peer send to the relay; false where the server refuses it, which it is not asked for again. */
  permit({ address, port }: TransportAddress): Promise<boolean> {
    const known = this.#permitted.get(address);
    if (known) return known;
    const permitted = this.#inTurn(() => this.#createPermission([address, port])).then(
      () => true,
      () => false,
    );
    this.#permitted.set(address, permitted);
    return permitted;
  }

  /** Has media to the peer go by a channel; where the server refuses that, it goes on in indications. */
  bindChannel(peer: TransportAddress): void {
    this.#inTurn(() => this.#turn.getChannel([peer.address, peer.port])).then(
      () => this.#channels.add(transportText(peer)),
      () => {},
    );
  }

  send(bytes: Uint8Array, to: TransportAddress): void {
    const sent = this.#channels.has(transportText(to))
      ? this.#turn.sendData(Buffer.from(bytes), [to.address, to.port])
      : this.#turn.transport.send(sendIndication(bytes, to));
    sent.catch(() => {}); // the relay is gone, and consent tells
  }

  /** Gives the relay back. */
  async release(): Promise<void> {
    clearInterval(this.#renewal);
    await releaseRelay(this.#turn);
    await this.#turn.close();
  }

  async #createPermission(peer: [string, number]): Promise<void> {
    const request = new Message(methods.CREATE_PERMISSION, classes.REQUEST);
    request.setAttribute('XOR-PEER-ADDRESS', peer);
    await this.#turn.requestWithRetry(request, this.#turn.server);
  }

  #renew(): void {
    for (const [address, permitted] of this.#permitted) {
      const renewed = permitted.then((isPermitted) =>
        isPermitted ? this.#inTurn(() => this.#createPermission([address, 0])) : undefined,
      );
      renewed.catch(() => {}); // as a relay that is gone
    }
  }

  #inTurn<Result>(request: () => Promise<Result>): Promise<Result> {
    const done = this.#queue.then(request);
    this.#queue = done.catch(() => {});
    return done;
  }
}

/** A Refresh with a lifetime of 0 (RFC 8656 §7.2), which werift's client does not send by itself. */
export async function releaseRelay(turn: TurnProtocol): Promise<void> {
  if (turn.transport.closed) return;
  const request = new Message(methods.REFRESH, classes.REQUEST).setAttribute('LIFETIME', 0);
  const released = turn.requestWithRetry(request, turn.server).catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, RELEASE_MS_MAX);
  });
  await Promise.race([released, late]);
  clearTimeout(timer);
}

function sendIndication(bytes: Uint8Array, peer: TransportAddress): Buffer {
  const transactionId = randomBytes(12);
  return encode({
    ...{ method: SEND, kind: INDICATION, transactionId },
    attributes: [
      { type: A.xorPeerAddress, value: encodeXorAddress(peer, transactionId) },
      { type: A.data, value: bytes },
    ],
  });
}
