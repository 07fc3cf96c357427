/** A small B2BUA behind `ng`, for a generator in virtual time: it decrypts what one leg sends and encrypts it for the other. */
import { formatCrypto, parseCrypto, type SdesCrypto } from '../../../src/b2bua/sdes.ts';
import { SrtpReceiver } from '../../../src/b2bua/srtp/srtp-receiver.ts';
import { SrtpSender } from '../../../src/b2bua/srtp/srtp-sender.ts';
import { suiteNamed } from '../../../src/b2bua/srtp/suites.ts';
import { aesKeystream, createNodeMediaCrypto } from '../../../src/node/node-media-crypto.ts';
import { type BencodeDictionary, decodeBencode, encodeBencode } from '../../../src/wire/bencode.ts';
import { SimulatedIo } from './simulated-io.ts';

const ENGINE_PORT_FIRST = 30_000;
/** The simulated sockets' ports begin here (see `SimulatedIo`). */
const SOCKET_PORT_FIRST = 40_000;
const SLAB_OFFSET = 64;
/** Of the suites offered to the callee. */
const FIRST_TAG = 7;

/** One side of a call: what the engine sends to and receives from an endpoint. */
interface Leg {
  socket: number;
  readonly enginePort: number;
  receiver?: SrtpReceiver;
  sender?: SrtpSender;
  other?: Leg;
}

interface Call {
  readonly legs: readonly [caller: Leg, callee: Leg];
  readonly offered: SdesCrypto | undefined;
  /** What the engine offered the callee, by suite. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
}

export class SimulatedB2bua extends SimulatedIo {
  /** What the callee is offered, in this order. */
  suites: readonly string[] = ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM'];
  /** The offerer's own key goes to the callee, as rtpengine does. */
  handsKeysThrough = false;
  /** Decides for the n-th command, counted from 1: answered, lost, or refused with a reason. */
  onCommand: (command: number, name: string) => 'answer' | 'lose' | { readonly refusal: string } = () =>
    'answer';
  /** Decides for the n-th packet, counted from 1, how often it arrives. */
  copies: (packet: number) => number = () => 1;
  /** May change the n-th packet as the receiver will get it. */
  tamper: (packet: number, bytes: Uint8Array) => void = () => {};
  /** May change the n-th packet before it is encrypted again, as a confused engine would. */
  confuse: (packet: number, bytes: Uint8Array) => void = () => {};

  readonly commands: BencodeDictionary[] = [];
  /** Bytes of the datagrams on the ng socket, as text. */
  readonly datagrams: string[] = [];
  readonly calls: Map<string, Call> = new Map();
  /** Packets as they came from the generator, the first hundred. */
  readonly wire: Uint8Array[] = [];

  readonly #ports = new Map<number, Leg>();
  readonly #slab = new Uint8Array(4096);
  readonly #crypto = createNodeMediaCrypto(this.#slab);
  #packets = 0;

  protected sent(socket: number, packet: Uint8Array, destination: number): void {
    if (destination < 0) this.#control(socket, packet);
    else this.#media(socket, this.endpoints.port(destination), packet);
  }

  #control(socket: number, packet: Uint8Array): void {
    const text = Buffer.from(packet).toString('latin1');
    this.datagrams.push(text);
    const space = text.indexOf(' ');
    const command = decodeBencode(packet.subarray(space + 1)) as BencodeDictionary;
    this.commands.push(command);
    const decision = this.onCommand(this.commands.length, String(command.command));
    if (decision === 'lose') return;
    const reply =
      decision === 'answer'
        ? { result: 'ok', ...this.#carryOut(command), padding: [1, { deep: ['x'] }] }
        : { result: 'error', 'error-reason': decision.refusal };
    this.arrive(socket, Buffer.concat([packet.subarray(0, space + 1), encodeBencode(reply)]));
  }

  #carryOut(command: BencodeDictionary): BencodeDictionary {
    const id = String(command['call-id']);
    const sdp = String(command.sdp ?? '');
    if (command.command === 'offer')
      return { sdp: this.#offer(id, sdp, String(command['transport-protocol'])) };
    if (command.command === 'answer') return { sdp: this.#answer(id, sdp) };
    this.calls.delete(id);
    return {};
  }

  #offer(id: string, sdp: string, protocol: string): string {
    const caller: Leg = { socket: socketOf(sdp), enginePort: ENGINE_PORT_FIRST + this.#ports.size };
    const callee: Leg = { socket: -1, enginePort: caller.enginePort + 1, other: caller };
    caller.other = callee;
    this.#ports.set(caller.enginePort, caller).set(callee.enginePort, callee);
    const offered = cryptosOf(sdp)[0];
    const keys = new Map<string, Uint8Array>();
    if (protocol === 'RTP/SAVP') for (const suite of this.suites) keys.set(suite, keyFor(suite, id));
    if (offered && this.handsKeysThrough) keys.set(offered.suite.name, joined(offered));
    this.calls.set(id, { legs: [caller, callee], offered, keys });
    return sdpOf(
      callee.enginePort,
      protocol,
      [...keys].map(([suite, key], tag) => crypto(FIRST_TAG + tag, suite, key)),
    );
  }

  #answer(id: string, sdp: string): string {
    const { keys, legs, offered } = this.calls.get(id) as Call;
    const [caller, callee] = legs;
    callee.socket = socketOf(sdp);
    const taken = cryptosOf(sdp)[0];
    if (taken && taken.tag !== FIRST_TAG + [...keys.keys()].indexOf(taken.suite.name)) {
      throw new Error(`the answer takes ${taken.suite.name} with tag ${taken.tag}, which was not offered`);
    }
    if (taken) this.#secure(callee, taken, keys.get(taken.suite.name) as Uint8Array);
    if (!offered) return sdpOf(caller.enginePort, 'RTP/AVP', []);
    const key = keyFor(offered.suite.name, `${id} answer`);
    this.#secure(caller, offered, key);
    return sdpOf(caller.enginePort, 'RTP/SAVP', [crypto(offered.tag, offered.suite.name, key)]);
  }

  /** `theirs`: what the endpoint sends with; `ours`: key and salt that the engine sends with. */
  #secure(leg: Leg, { keys, suite }: SdesCrypto, ours: Uint8Array): void {
    const [key, salt] = [ours.subarray(0, suite.keyBytes), ours.subarray(suite.keyBytes)];
    leg.receiver = new SrtpReceiver(this.#crypto, this.#slab, aesKeystream, suite, keys);
    leg.sender = new SrtpSender(this.#crypto, this.#slab, aesKeystream, suite, key, salt);
  }

  #media(socket: number, port: number, packet: Uint8Array): void {
    const leg = this.#ports.get(port);
    if (!leg?.other) throw new Error(`nothing of the engine is at port ${port}`);
    if (leg.socket !== socket) throw new Error('an endpoint sends from a port that is not in its SDP');
    if (this.wire.length < 100) this.wire.push(packet);
    this.#slab.set(packet, SLAB_OFFSET);
    let length = leg.receiver ? leg.receiver.unprotectRtp(SLAB_OFFSET, packet.length) : packet.length;
    if (length < 0) throw new Error(`the generator's packet does not decrypt: ${length}`);
    const count = ++this.#packets;
    this.confuse(count, this.#slab.subarray(SLAB_OFFSET, SLAB_OFFSET + length));
    const { sender } = leg.other;
    if (sender) length = sender.protectRtp(SLAB_OFFSET, length);
    const out = this.#slab.slice(SLAB_OFFSET, SLAB_OFFSET + length);
    this.tamper(count, out);
    const copies = this.copies(count);
    for (let i = 0; i < copies; i++) this.arrive(leg.other.socket, out);
  }
}

function sdpOf(port: number, protocol: string, cryptos: readonly string[]): string {
  const lines = ['v=0', 'o=- 1 1 IN IP4 192.0.2.2', 's=-', 'c=IN IP4 192.0.2.2', 't=0 0'];
  lines.push(`m=audio ${port} ${protocol} 0`, ...cryptos.map((value) => `a=crypto:${value}`));
  return `${lines.join('\r\n')}\r\n`;
}

function socketOf(sdp: string): number {
  return Number(/m=audio (\d+)/.exec(sdp)?.[1]) - SOCKET_PORT_FIRST;
}

function cryptosOf(sdp: string): SdesCrypto[] {
  return [...sdp.matchAll(/a=crypto:(.*)\r\n/g)]
    .map(([, value]) => parseCrypto(value ?? ''))
    .filter((value): value is SdesCrypto => typeof value !== 'string');
}

/** Unpadded, as rtpengine writes it. */
function crypto(tag: number, suite: string, key: Uint8Array): string {
  const { keyBytes = 0 } = suiteNamed(suite) ?? {};
  return formatCrypto(tag, suite, key.subarray(0, keyBytes), key.subarray(keyBytes), false);
}

/** Any bytes, as long as key and salt of the suite, and different for different calls. */
function keyFor(suite: string, seed: string): Uint8Array {
  const { keyBytes = 0, saltBytes = 0 } = suiteNamed(suite) ?? {};
  return Uint8Array.from(
    { length: keyBytes + saltBytes },
    (_, i) => (seed.charCodeAt(i % seed.length) * 31 + i) & 0xff,
  );
}

function joined({ keys: [key] }: SdesCrypto): Uint8Array {
  return Uint8Array.from([...(key?.masterKey ?? []), ...(key?.masterSalt ?? [])]);
}
