/**
 * A client that does everything right, and insists that it is served: its payloads arrive, whole, once,
 * where they belong, whatever others do in between.
 */
import {
  A,
  BINDING,
  DATA_METHOD,
  decode,
  decodeXorAddress,
  errorCode,
  find,
  hasIntegrity,
  type Message,
  SUCCESS,
} from '../../lab/phone/plain-stun.ts';
import {
  allocate,
  channelBind,
  channelData,
  createPermission,
  refresh,
  request,
  type Session,
  sendIndication,
  session,
} from './client-messages.ts';
import { type Source, source } from './fuzz-io.ts';
import { ALICE, type FuzzWorld, type Sent, textOf } from './fuzz-world.ts';

const CHANNEL = 0x4abc;
const RENEW_AFTER_MS = 100_000;
/** The first byte of RTP: passes the media policy too. */
const RTP = 0x80;

export const GOOD_CLIENT: Source = source('192.0.2.250', 5555);

export class GoodClient {
  readonly #world: FuzzWorld;
  readonly #isAuthenticated: boolean;
  /** Its peers have addresses of their own, that no attacker talks to. */
  readonly #channelPeer = source('203.0.113.200', 9000);
  readonly #otherPeer = source('203.0.113.201', 9001);
  #session: Session | undefined;
  #relaySocket = -1;
  #renewedAtMs = 0;
  #payloads = 0;

  constructor(world: FuzzWorld) {
    this.#world = world;
    this.#isAuthenticated = world.rig.settings.authentication;
  }

  /** Round trips on all ways there are. */
  get payloads(): number {
    return this.#payloads;
  }

  start(): void {
    const { rig } = this.#world;
    const refuse = rig.io.refuse;
    rig.io.refuse = () => 0; // what it starts with is not the question
    this.#session = this.#isAuthenticated ? session(ALICE) : undefined;
    this.#succeed(() => allocate(rig.random, this.#session));
    rig.io.refuse = refuse;
    const mine = [...rig.core.allocations].find(
      ({ client }) => rig.io.endpoints.text(client) === textOf(GOOD_CLIENT),
    );
    this.#relaySocket = mine?.socketIPv4 ?? -1;
    this.#bind();
  }

  /** One exchange of each kind. */
  exchange(): void {
    const { rig } = this.#world;
    if (rig.nowMs - this.#renewedAtMs > RENEW_AFTER_MS) {
      this.#succeed(() => refresh(rig.random, this.#session, 600));
      this.#bind();
    }
    this.#throughChannel();
    this.#throughIndications();
    if (rig.settings.unauthenticatedBinding && rig.random.chance(0.2)) this.#askForAddress();
  }

  #bind(): void {
    const { rig } = this.#world;
    this.#succeed(() => channelBind(rig.random, this.#session, CHANNEL, this.#channelPeer));
    this.#succeed(() => createPermission(rig.random, this.#session, [this.#otherPeer]));
    this.#renewedAtMs = rig.nowMs;
  }

  #throughChannel(): void {
    const out = this.#payload();
    const there = this.#send(channelData(CHANNEL, out));
    expectOne(there, this.#relaySocket, this.#channelPeer, out);
    const back = this.#payload();
    const here = this.#receive(back, this.#channelPeer);
    expectOne(here, this.#world.rig.udp4, GOOD_CLIENT, channelData(CHANNEL, back));
  }

  #throughIndications(): void {
    const out = this.#payload();
    const there = this.#send(sendIndication(this.#world.rig.random, this.#otherPeer, out));
    expectOne(there, this.#relaySocket, this.#otherPeer, out);
    const back = this.#payload();
    const [sent] = this.#receive(back, this.#otherPeer);
    if (!sent || sent.to !== textOf(GOOD_CLIENT)) throw new Error('no Data indication came');
    const message = decode(sent.bytes);
    const data = Buffer.from(find(message, A.data) ?? []);
    const peer = decodeXorAddress(
      find(message, A.xorPeerAddress) ?? new Uint8Array(0),
      message.transactionId,
    );
    if (message.method !== DATA_METHOD || !data.equals(back) || peer.port !== this.#otherPeer.port) {
      throw new Error('a Data indication came out wrong');
    }
  }

  #askForAddress(): void {
    const answer = this.#ask(() => request(this.#world.rig.random, BINDING, undefined, () => []));
    const mapped = decodeXorAddress(
      find(answer, A.xorMappedAddress) ?? new Uint8Array(0),
      answer.transactionId,
    );
    if (mapped.address !== GOOD_CLIENT.address || mapped.port !== GOOD_CLIENT.port) {
      throw new Error(`a Binding request was told of ${mapped.address}:${mapped.port}`);
    }
  }

  /** A request that has to succeed, after a fresh nonce at most. */
  #succeed(make: () => Buffer): void {
    for (let attempt = 0; attempt < 3; attempt++) {
      const answer = this.#ask(make);
      const nonce = find(answer, A.nonce);
      if (nonce && this.#session) this.#session.nonce = nonce;
      else if (answer.kind === SUCCESS) return;
      else throw new Error(`a request was answered ${errorCode(answer)}`);
    }
    throw new Error('no nonce was good enough');
  }

  /** The answer to a request. Forgers may have used up this second's unauthenticated answers: then once more. */
  #ask(make: () => Buffer): Message {
    for (let attempt = 0; attempt < 3; attempt++) {
      const bytes = make();
      const answers = this.#send(bytes);
      const [answer] = answers;
      if (answers.length > 1) throw new Error(`a request was answered ${answers.length} times`);
      if (answer) return this.#checked(bytes, answer);
      this.#world.rig.wait(1);
    }
    throw new Error('a request was not answered');
  }

  #checked(asked: Buffer, answer: Sent): Message {
    const message = decode(answer.bytes);
    if (answer.to !== textOf(GOOD_CLIENT) || !asked.subarray(8, 20).equals(message.transactionId)) {
      throw new Error('an answer went astray');
    }
    const signs = this.#session !== undefined && message.method !== BINDING && message.kind === SUCCESS;
    if (
      signs &&
      !hasIntegrity(answer.bytes, { algorithm: 'sha1', key: this.#session?.key ?? new Uint8Array(0) })
    ) {
      throw new Error('an answer was not signed');
    }
    return message;
  }

  #payload(): Buffer {
    const { random } = this.#world.rig;
    const bytes = random.bytes(random.between(1, 1200));
    bytes[0] = RTP;
    this.#payloads++;
    return bytes;
  }

  #send(bytes: Buffer): Sent[] {
    return this.#watch(() => this.#world.fromClient(this.#world.rig.udp4, bytes, GOOD_CLIENT));
  }

  #receive(bytes: Buffer, from: Source): Sent[] {
    return this.#watch(() => this.#world.fromPeer(this.#relaySocket, bytes, from));
  }

  #watch(packet: () => void): Sent[] {
    const sent: Sent[] = [];
    this.#world.watched = sent;
    this.#world.inBatch(packet);
    this.#world.watched = undefined;
    return sent;
  }
}

function expectOne(sent: readonly Sent[], socket: number, to: Source, bytes: Buffer): void {
  const [only] = sent;
  if (sent.length !== 1 || !only) throw new Error(`${sent.length} packets instead of one`);
  if (only.socket !== socket || only.to !== textOf(to) || !only.bytes.equals(bytes)) {
    throw new Error(`a packet for ${textOf(to)} came out wrong: to ${only.to}, ${only.bytes.length} bytes`);
  }
}
