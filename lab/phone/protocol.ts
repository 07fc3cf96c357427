/**
 * What the lab and the phones of a place say to each other. All phones of a place live in one process
 * (`phone-host.ts`), which is asked over Node's IPC channel, one answer a question.
 */

/** An IPv4 transport address. */
export interface TransportAddress {
  readonly address: string;
  readonly port: number;
}

export interface TurnAccess {
  readonly server: TransportAddress;
  readonly username: string;
  readonly password: string;
  /** `auto`: UDP, and TCP where UDP gets no answer. */
  readonly transport: 'auto' | 'udp' | 'tcp';
}

export interface PhoneOptions {
  /** Unique in its place. */
  readonly phone: string;
  readonly address: string;
  /** Local UDP ports it may use. */
  readonly ports: readonly [first: number, last: number];
  /** What it says, until it hangs up: a sine of this frequency in G.711 µ-law. */
  readonly toneHz: number;
  /**
   * - `full`: the lab's own agent (RFC 8445, regular nomination)
   * - `werift`: werift's agent, an implementation that knows nothing of ours
   * - `none`: no ICE at all
   */
  readonly ice: 'full' | 'werift' | 'none';
  /** SDES suite; `none`: plain RTP. */
  readonly encryption: 'AES_CM_128_HMAC_SHA1_80' | 'AEAD_AES_128_GCM' | 'none';
  /** Also tells the server-reflexive address. Absent: host candidates alone. */
  readonly turn?: TurnAccess;
}

/** As the phone itself sees it: `srflx` where its packets leave its host's socket under another address. */
export type PhoneCandidateType = 'host' | 'srflx' | 'relay';

export interface SelectedPair {
  readonly local: TransportAddress & { readonly type: PhoneCandidateType };
  /** `type` as the other side signalled it, `prflx` where it did not. */
  readonly remote: TransportAddress & { readonly type: PhoneCandidateType | 'prflx' };
}

export interface PhoneStatus {
  /** `failed`: no pair works, or the selected one has lost consent (RFC 7675). */
  readonly ice: 'none' | 'checking' | 'concluded' | 'failed';
  /** Of the RTP component; null while nothing is selected. */
  readonly selected: SelectedPair | null;
  /** What this phone has signalled of itself. */
  readonly candidates: readonly (TransportAddress & { readonly type: PhoneCandidateType })[];
  readonly sentPackets: number;
  /** RTP packets whose tag verified, each counted once. */
  readonly heardPackets: number;
  /** Sequence numbers that never came, of the stream heard. */
  readonly lostPackets: number;
  /** Packets that did not verify, or were no RTP of this call. */
  readonly garbledPackets: number;
  /** RFC 3550 §6.4.1. */
  readonly jitterMs: number;
  /** Since the last packet heard; since the call was answered, if none was. Null before. */
  readonly silentMs: number | null;
  /** The strongest frequency of the last half second heard; null where that is no clear tone, or too little. */
  readonly heardToneHz: number | null;
  readonly rtcpSent: number;
  readonly rtcpHeard: number;
  /** What the other side says it lost of ours, by its last RTCP report; null: none came. */
  readonly reportedLossPercent: number | null;
  /** Where the last packet came from; null before, and where the agent does not tell (werift). */
  readonly heardFrom: TransportAddress | null;
}

/** Questions and their answers. Each names the phone; `open` makes it. */
export interface PhoneCommands {
  open: { question: PhoneOptions; answer: null };
  /**
   * An offer with all candidates. The first gathers; with `restart`, which begins a new ICE session and gathers
   * anew (new sockets, new relay), media goes on until the answer.
   */
  offer: { question: { restart: boolean }; answer: { sdp: string } };
  /** The answer to an offer. A changed ufrag means the other side restarts, and then this side does too. */
  answer: { question: { sdp: string }; answer: { sdp: string } };
  /** The other side's answer to this side's offer. The phone that made the first offer controls. */
  accept: { question: { sdp: string }; answer: null };
  /** The offer that tells what ICE has selected (RFC 8839 §4.3.4); null: it has concluded nothing. */
  updatedOffer: { question: Record<never, never>; answer: { sdp: string } | null };
  status: { question: Record<never, never>; answer: PhoneStatus };
  /** Ends media, gives its relay back, and forgets the phone. */
  hangUp: { question: Record<never, never>; answer: PhoneStatus };
}

export type PhoneCommand = keyof PhoneCommands;

export interface PhoneQuestion<Command extends PhoneCommand = PhoneCommand> {
  readonly id: number;
  readonly phone: string;
  readonly command: Command;
  readonly question: PhoneCommands[Command]['question'];
}

export type PhoneAnswer =
  | { readonly id: number; readonly answer: PhoneCommands[PhoneCommand]['answer'] }
  /** One line. */
  | { readonly id: number; readonly error: string };
