/**
 * A SIP phone over UDP that does what a test tells it, message by message: for what no real phone does on demand
 * (answer what was not offered). It knows just enough of RFC 3261 for one call at a time.
 */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const SIP_PORT = 5060;
const MESSAGE_MS_MAX = 15_000;
/** Until the proxy, which may still start, answers. */
const REGISTER_MS = 100;

export interface SipUserSettings {
  readonly name: string;
  readonly address: string;
  readonly proxyAddress: string;
  /** What it takes for its own address: behind NAT, one that nobody else can reach. */
  readonly contactAddress: string;
}

/** A request or response as it came. */
export class SipMessage {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** `INVITE sip:… SIP/2.0`, `SIP/2.0 200 OK`. */
  get startLine(): string {
    return this.text.slice(0, this.text.indexOf('\r\n'));
  }

  /** All headers of a name, whole lines. */
  lines(name: string): readonly string[] {
    const head = this.text.slice(0, this.text.indexOf('\r\n\r\n'));
    return head.split('\r\n').filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  }

  /** The value of the first header of a name; '': there is none. */
  value(name: string): string {
    return (
      this.lines(name)[0]
        ?.slice(name.length + 1)
        .trim() ?? ''
    );
  }
}

export class SipUser {
  readonly #settings: SipUserSettings;
  readonly #socket: Socket;
  readonly #arrived: SipMessage[] = [];
  #wake: () => void = () => {};
  #cseq = 0;
  #isRegistered = false;
  readonly #seen = new Set<string>();

  private constructor(settings: SipUserSettings, socket: Socket) {
    this.#settings = settings;
    this.#socket = socket;
    socket.on('message', (bytes) => this.#take(bytes.toString('latin1')));
  }

  /** Registers it, as soon as the proxy runs. */
  static async open(settings: SipUserSettings): Promise<SipUser> {
    const socket = createSocket('udp4');
    socket.bind(0, settings.address);
    await once(socket, 'listening');
    const user = new SipUser(settings, socket);
    const timer = setInterval(() => user.#register(), REGISTER_MS);
    try {
      await user.next(/^SIP\/2\.0 200 /);
      user.#isRegistered = true;
      user.#arrived.length = 0;
      return user;
    } catch (error) {
      user.close();
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  /** Sends the INVITE of a call to another user. */
  invite(name: string, sdp: string): void {
    const callId = randomHex();
    const uri = `sip:${name}@${this.#settings.proxyAddress}`;
    const dialog = [`From: <${this.#uri()}>;tag=${callId}`, `To: <${uri}>`, `Call-ID: ${callId}`];
    this.#request('INVITE', uri, [...dialog, `CSeq: ${++this.#cseq} INVITE`, this.#contact()], sdp);
  }

  /** Sends a request in the call that a 200 has made. */
  within(method: 'ACK' | 'BYE' | 'INVITE', answer: SipMessage, sdp = ''): void {
    const [, target = ''] = /<(.*)>/.exec(answer.value('Contact')) ?? [];
    const routes = answer.lines('Record-Route').map((line) => line.replace('Record-', ''));
    if (method !== 'ACK') this.#cseq++;
    this.#request(
      method,
      target,
      [
        ...routes.reverse(),
        ...['From', 'To', 'Call-ID'].map((name) => `${name}: ${answer.value(name)}`),
        ...[`CSeq: ${this.#cseq} ${method}`, this.#contact()],
      ],
      sdp,
    );
  }

  /** Answers a request. */
  reply(request: SipMessage, status: string, sdp = ''): void {
    const copied = ['Via', 'Record-Route', 'From', 'Call-ID', 'CSeq'].flatMap((name) => request.lines(name));
    const to = request.value('To');
    const tagged = to.includes(';tag=') ? to : `${to};tag=${this.#settings.name}`;
    this.#send(`SIP/2.0 ${status}`, [...copied, `To: ${tagged}`, this.#contact()], sdp);
  }

  /** The first message that has come, and was not asked for yet, whose start line matches. */
  async next(startLine: RegExp): Promise<SipMessage> {
    const deadlineMs = performance.now() + MESSAGE_MS_MAX;
    for (;;) {
      const index = this.#arrived.findIndex((message) => startLine.test(message.startLine));
      const [message] = index < 0 ? [] : this.#arrived.splice(index, 1);
      if (message) return message;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new Error(`${this.#settings.name} got no ${startLine}, but:\n${this.unread()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Start lines of what has come and was not asked for. */
  unread(): string {
    return this.#arrived.map(({ startLine }) => startLine).join('\n');
  }

  close(): void {
    this.#socket.close();
  }

  /** What was sent again, and answers to what it sent again itself, come once. */
  #take(text: string): void {
    const message = new SipMessage(text);
    if (this.#seen.has(text) || (this.#isRegistered && message.value('CSeq').endsWith(' REGISTER'))) return;
    this.#seen.add(text);
    this.#arrived.push(message);
    this.#wake();
  }

  #register(): void {
    const tag = randomHex();
    this.#request('REGISTER', `sip:${this.#settings.proxyAddress}`, [
      ...[`From: <${this.#uri()}>;tag=${tag}`, `To: <${this.#uri()}>`, `Call-ID: ${tag}`],
      ...[`CSeq: ${++this.#cseq} REGISTER`, this.#contact(), 'Expires: 600'],
    ]);
  }

  #request(method: string, uri: string, headers: readonly string[], sdp = ''): void {
    const { address, port } = this.#socket.address();
    const via = `Via: SIP/2.0/UDP ${address}:${port};branch=z9hG4bK${randomHex()};rport`;
    this.#send(`${method} ${uri} SIP/2.0`, [via, 'Max-Forwards: 70', ...headers], sdp);
  }

  #send(startLine: string, headers: readonly string[], sdp: string): void {
    const type = sdp === '' ? [] : ['Content-Type: application/sdp'];
    const lines = [startLine, ...headers, ...type, `Content-Length: ${sdp.length}`, '', sdp];
    this.#socket.send(lines.join('\r\n'), SIP_PORT, this.#settings.proxyAddress);
  }

  #uri(): string {
    return `sip:${this.#settings.name}@${this.#settings.proxyAddress}`;
  }

  #contact(): string {
    const { name, contactAddress } = this.#settings;
    return `Contact: <sip:${name}@${contactAddress}:${this.#socket.address().port}>`;
  }
}

function randomHex(): string {
  return randomBytes(8).toString('hex');
}
