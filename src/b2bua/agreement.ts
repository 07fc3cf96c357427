/**
 * Puts what offer and answer agreed on in force: writes into components where each side listens, how its
 * packets are decrypted and encrypted, and where they go on to.
 */
import type { DatagramIo } from '../wire/datagram-io.ts';
import type { MediaCrypto } from '../wire/media-crypto.ts';
import type { Call, Leg, Line, LineMode, OwnKey } from './call.ts';
import { CARRIES_OPAQUE, type Component } from './component.ts';
import type { MediaPorts } from './media-ports.ts';
import type { NgRequest } from './ng-request.ts';
import type { RemoteLine, TransportAddress } from './remote-line.ts';
import type { SdesCrypto } from './sdes.ts';
import type { B2buaCrypto, B2buaSettings } from './settings.ts';
import { SrtpReceiver } from './srtp/srtp-receiver.ts';
import { SrtpSender } from './srtp/srtp-sender.ts';

/** So long a packet may be on its way, and so long an offerer that moves may wait for the answer. */
const LEAVING_MS = 500;

export interface AgreementParts {
  readonly io: DatagramIo;
  readonly mediaCrypto: MediaCrypto;
  readonly crypto: B2buaCrypto;
  readonly settings: B2buaSettings;
  readonly ports: MediaPorts;
}

/** How a line is encrypted; either direction may pass as it is. */
export interface LineCrypto {
  readonly theirs: SdesCrypto | undefined;
  readonly own: OwnKey | undefined;
}

/** What was agreed with one side of a line, beside its description. */
export interface Terms {
  /** What each component carries, a `CARRIES_…`; a component beyond those is out of use. */
  readonly carries: readonly number[];
  /** Undefined: unencrypted, or none of our business. */
  readonly crypto: LineCrypto | undefined;
  readonly isMuxed: boolean;
  readonly mode: LineMode;
  /** The command that brought the side's description. */
  readonly request: NgRequest;
  readonly nowMs: number;
}

export class Agreement {
  readonly #parts: AgreementParts;

  constructor(parts: AgreementParts) {
    this.#parts = parts;
  }

  /** Puts a side's description of a line in force. */
  agree(line: Line, remote: RemoteLine, terms: Terms): void {
    const { rtp, rtcp } = remote;
    line.kind = remote.kind === 'opaque' ? 'opaque' : 'rtp';
    line.media = remote.media;
    line.protocol = remote.protocol;
    line.isMuxed = terms.isMuxed;
    line.mode = terms.mode;
    if (terms.mode === 'terminated') line.departure = undefined;
    line.remote = remote;
    line.ice?.setRemoteUfrag(remote.ice?.ufrag);
    this.#setKeys(line, terms.crypto);
    const isNewcomer = takesOver(line, terms.request);
    for (const [i, component] of line.components.entries()) {
      const carries = terms.carries[i];
      if (carries === undefined) {
        this.#silence(component);
        continue;
      }
      component.carries = carries;
      component.clockRates = line.kind === 'rtp' ? remote.clockRates : undefined;
      this.#setRemote(component, line, i === 0 ? rtp : rtcp, { ...terms, isNewcomer });
    }
  }

  /** Closes a line's ports. Its keys live on: the line may be taken up again with the same ones. */
  disable(line: Line): void {
    for (const component of line.components) this.#parts.ports.close(component);
    line.components = [];
    line.isMuxed = false;
    line.remote = undefined;
    line.ice = undefined;
  }

  /** Sends what each side sends to the other; a fork that had answered before falls silent. */
  connect(call: Call, offerer: Leg, answerer: Leg): void {
    for (const leg of call.legs) {
      if (leg === offerer || leg === answerer) continue;
      if (leg.peer === offerer || leg.peer === answerer) leg.forwardNowhere();
    }
    offerer.peer = answerer;
    answerer.peer = offerer;
    offerer.applyMuting();
    answerer.applyMuting();
    for (const [i, near] of offerer.lines.entries()) {
      const far = answerer.line(i);
      forward(near, far);
      forward(far, near);
    }
  }

  /** Nothing comes in at the component, and nothing goes out. */
  #silence(component: Component): void {
    component.unfollow(this.#parts.io.endpoints);
    component.latchUntilMs = 0;
    component.receiver = component.sender = undefined;
    component.ice = undefined;
    component.isNominated = component.isLearned = component.isSettled = component.isChecked = false;
  }

  #setKeys(line: Line, crypto: Terms['crypto']): void {
    const { mediaCrypto, io, crypto: primitives } = this.#parts;
    const theirs = crypto?.theirs;
    const own = crypto?.own;
    const receiver =
      theirs &&
      line.receiverFor(
        keysText(theirs),
        () => new SrtpReceiver(mediaCrypto, io.bytes, primitives.keystream, theirs.suite, theirs.keys),
      );
    if (own) {
      const { suite, masterKey, masterSalt } = own;
      own.sender ??= new SrtpSender(
        mediaCrypto,
        io.bytes,
        primitives.keystream,
        suite,
        masterKey,
        masterSalt,
      );
    }
    line.receivedSuite = theirs?.suite.name;
    line.sentSuite = own?.suite.name;
    for (const component of line.components) {
      component.receiver = receiver;
      component.sender = own?.sender;
    }
  }

  #setRemote(
    component: Component,
    line: Line,
    address: TransportAddress | undefined,
    { request, isNewcomer, nowMs }: Terms & { readonly isNewcomer: boolean },
  ): void {
    const { endpoints } = this.#parts.io;
    const before = component.remote;
    const iceBefore = component.ice;
    component.ice = line.ice;
    component.isFixed = request.flags.has('asymmetric');
    component.latchUntilMs = nowMs + this.#parts.settings.latchSeconds * 1000;
    if (line.ice?.part === 'peer') {
      // After a restart media stays on the pair in use until the new checks nominate one (RFC 8445 §9).
      if (iceBefore === undefined) {
        component.isNominated = false;
        component.unfollow(endpoints);
      }
      component.isSettled = component.remote >= 0;
      return;
    }
    if (line.ice !== iceBefore) component.isNominated = false;
    if (line.ice && component.isChecked) {
      // Where its checks came from is where the side is, whatever its SDP says of other candidates; after a restart
      // the first of its new ones tells anew.
      component.isChecked = line.ice === iceBefore;
      return;
    }
    component.isLearned = component.isSettled = component.isChecked = false;
    // Nothing is sent to a null address (see `forward`), but who was heard may go on, with music perhaps.
    if (line.remote?.isNullAddress) return;
    this.#setSignalled(component, line, address, { request, isNewcomer, nowMs });
    if (component.isMultiplexed) this.#parts.ports.route(component, before);
  }

  #setSignalled(
    component: Component,
    line: Line,
    address: TransportAddress | undefined,
    { request, isNewcomer, nowMs }: Pick<Terms, 'request' | 'nowMs'> & { readonly isNewcomer: boolean },
  ): void {
    const { endpoints } = this.#parts.io;
    const row = endpoints.acquire();
    if (row < 0) return;
    if (address === undefined || !endpoints.setText(row, address.address, address.port)) {
      endpoints.release(row);
      component.unfollow(endpoints);
      return;
    }
    const { remote, signalled } = component;
    const isElsewhere = remote >= 0 && !endpoints.equals(remote, row);
    const isSame = signalled >= 0 && endpoints.equals(signalled, row) && !request.flags.has('reset');
    if (isSame && remote >= 0 && !(isNewcomer && isElsewhere)) {
      endpoints.release(row); // what was learned of it stays
      if (nowMs >= component.leavingUntilMs) component.stay(endpoints);
      // Who says that he will not speak need not be looked for: whoever did would be another.
      if (isSilent(line)) component.latchUntilMs = 0;
      return;
    }
    // A place that nobody was heard at is none to leave, and `reset` or the end of a null address is no move.
    const isMoving = signalled >= 0 && !endpoints.equals(signalled, row) && component.hasBeenFound(endpoints);
    if (isElsewhere && (isNewcomer || isMoving)) component.leave(endpoints, isNewcomer);
    component.leavingUntilMs = nowMs + LEAVING_MS;
    if (signalled >= 0) endpoints.release(signalled);
    component.signalled = row;
    component.heardMs = -1;
    component.follow(endpoints, row);
  }
}

/** A null address is an old way to say: send me nothing. With ICE it says nothing, since candidates and checks tell. */
function forward(from: Line, to: Line): void {
  const isListening = to.ice !== undefined || to.remote?.isNullAddress === false;
  for (const [i, component] of from.components.entries()) {
    if (component.carries === CARRIES_OPAQUE) {
      component.forwardsTo = to.components[i];
    } else {
      component.forwardsTo = isListening ? to.rtp : undefined;
      component.forwardsRtcpTo = isListening ? to.rtcp : undefined;
    }
  }
}

/** Notes whose description is in force; whether it is another user agent's than the one of before (a fork). */
function takesOver(line: Line, { command, fromTag, toTag }: NgRequest): boolean {
  const before = line.tag;
  line.tag = command === 'answer' ? toTag : fromTag;
  return before !== undefined && before !== line.tag;
}

/** Whether the side says that it sends nothing. */
function isSilent({ remote }: Line): boolean {
  return remote?.direction === 'recvonly' || remote?.direction === 'inactive';
}

/** The same text for the same suite, keys and MKIs. */
function keysText({ suite, keys }: SdesCrypto): string {
  const texts = keys.map(({ masterKey, masterSalt, mki }) => `${masterKey} ${masterSalt} ${mki ?? ''}`);
  return `${suite.name} ${texts.join(' / ')}`;
}
