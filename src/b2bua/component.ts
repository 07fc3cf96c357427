/**
 * A component: one transport address of one line of one leg (RTP, or RTCP, or a line that is no RTP),
 * with all that a packet needs when it arrives there or leaves from there. What the packet path reads
 * is plain fields; what they should be is decided by `offer-answer`.
 */
import type { IceLiteAgent } from '../ice/lite-agent.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import type { SrtpReceiver } from './srtp/srtp-receiver.ts';
import type { SrtpSender } from './srtp/srtp-sender.ts';

/** What a component carries. */
export const CARRIES_RTP = 1;
export const CARRIES_RTCP = 2;
/** Anything, untouched: a BFCP or iX line, or any line of a relayed call. */
export const CARRIES_OPAQUE = 3;

/** Places a side may send from at once, beside the one it is sent to: its host addresses and its relay. */
export const SHOWN_MAX = 4;

export class Component {
  /** Tag of its socket, and its row of the reception statistics. */
  readonly id: number;
  carries: number;
  /** Place of the leg's zone, for what is counted by zone. */
  readonly zone: number;
  /** Local socket; shared with others where {@link isMultiplexed}. */
  socket: number;
  readonly localPort: number;
  /** Place of the local address in the settings' `mediaAddresses`; the port is given back there. */
  readonly addressPlace: number;
  readonly isMultiplexed: boolean;

  /** Rows of one's own: where to send to, where the SDP says to, and where to before the SDP said otherwise. -1: nowhere. */
  remote = -1;
  signalled = -1;
  former = -1;
  /** {@link former} is where another user agent listened (a fork), who must not come back. */
  isFormerBarred = false;
  /** Until when what comes from {@link former} may have been on its way, monotonic ms. */
  leavingUntilMs = 0;

  /** Until when an unencrypted stream's address may be learned, monotonic ms. */
  latchUntilMs = 0;
  /** When an unencrypted packet last came from {@link remote}, monotonic ms; -1: none has. */
  heardMs = -1;
  /** A source has shown itself since the last SDP; only the signalled address can still take its place. */
  isLearned = false;
  /** Nothing can take its place any more. */
  isSettled = false;
  /** The signalled address stays, whatever comes from where (flag `asymmetric`). */
  isFixed = false;

  /** The other side does ICE with us: then checks, and nothing else, tell where it is. */
  ice: IceLiteAgent | undefined;
  isNominated = false;
  /** A check with the right credentials came from where packets are sent to. */
  isChecked = false;
  /**
   * Rows of one's own: where else the side has shown itself to be, by checks or by media before the first of them.
   * Made where we stand in for somebody; -1: free.
   */
  shown: Int32Array | undefined;
  #shownNext = 0;
  /** Valid checks, and those that nominated. */
  checks = 0;
  nominations = 0;

  /** Decrypts what arrives; undefined: it comes unencrypted. Shared by the components of a line. */
  receiver: SrtpReceiver | undefined;
  /** Encrypts what leaves. */
  sender: SrtpSender | undefined;

  /** Where RTP, or opaque packets, go on to; undefined while nobody listens. */
  forwardsTo: Component | undefined;
  /** Where RTCP goes on to. */
  forwardsRtcpTo: Component | undefined;
  isBlocked = false;
  /** Byte that silence is made of, by payload type; undefined: nothing is silenced. */
  silence: Int16Array | undefined;
  /** Clock rate of each payload type, Hz. */
  clockRates: Int32Array | undefined;

  packets = 0;
  bytes = 0;
  errors = 0;
  rtcpPackets = 0;
  rtcpBytes = 0;
  rtcpErrors = 0;
  lastPacketMs = -1;

  constructor(
    id: number,
    place: {
      readonly carries: number;
      readonly zone: number;
      readonly socket: number;
      readonly localPort: number;
      readonly addressPlace: number;
      readonly isMultiplexed: boolean;
    },
  ) {
    this.id = id;
    this.carries = place.carries;
    this.zone = place.zone;
    this.socket = place.socket;
    this.localPort = place.localPort;
    this.addressPlace = place.addressPlace;
    this.isMultiplexed = place.isMultiplexed;
  }

  /** Sends to the endpoint in `row` from now on. A row that packets may be queued to is never written over. */
  follow(book: EndpointBook, row: number): boolean {
    const copy = book.acquireCopy(row);
    if (copy < 0) return false;
    if (this.remote >= 0) book.release(this.remote);
    this.remote = copy;
    return true;
  }

  /** Sends no more to where it did: the side is elsewhere now, or another is in its place (`isBarred`). */
  leave(book: EndpointBook, isBarred: boolean): void {
    if (this.remote < 0) return;
    const keepsBarred = this.former >= 0 && this.isFormerBarred && !isBarred;
    const forgotten = keepsBarred ? this.remote : this.former;
    if (forgotten >= 0) book.release(forgotten);
    if (!keepsBarred) {
      this.former = this.remote;
      this.isFormerBarred = isBarred;
    }
    this.remote = -1;
  }

  /** The side is not leaving any more: where it is sent to is where it is. */
  stay(book: EndpointBook): void {
    if (this.former < 0 || this.isFormerBarred) return;
    book.release(this.former);
    this.former = -1;
  }

  isFormer(book: EndpointBook, row: number): boolean {
    return this.former >= 0 && book.equals(this.former, row);
  }

  /** The side is sent to where a packet of its own came from, and not the SDP alone says that it is there. */
  hasBeenFound(book: EndpointBook): boolean {
    if (this.remote < 0) return false;
    return this.isChecked || this.heardMs >= 0 || this.isFormer(book, this.remote);
  }

  /** Notes that the side sends from `row` too; the oldest of such places gives way. */
  show(book: EndpointBook, row: number): void {
    this.shown ??= new Int32Array(SHOWN_MAX).fill(-1);
    if (this.hasShown(book, row)) return;
    const copy = book.acquireCopy(row);
    if (copy < 0) return;
    const before = this.shown[this.#shownNext] as number;
    if (before >= 0) book.release(before);
    this.shown[this.#shownNext] = copy;
    this.#shownNext = (this.#shownNext + 1) % SHOWN_MAX;
  }

  hasShown(book: EndpointBook, row: number): boolean {
    const { shown } = this;
    if (shown === undefined) return false;
    for (let i = 0; i < SHOWN_MAX; i++) {
      const known = shown[i] as number;
      if (known >= 0 && book.equals(known, row)) return true;
    }
    return false;
  }

  /** Forgets the other side. */
  unfollow(book: EndpointBook): void {
    for (const row of this.shown ?? []) if (row >= 0) book.release(row);
    this.shown = undefined;
    for (const row of [this.remote, this.signalled, this.former]) if (row >= 0) book.release(row);
    this.remote = this.signalled = this.former = -1;
    this.heardMs = -1;
  }
}
