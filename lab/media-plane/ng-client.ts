/** Commands of the `ng` protocol to a media plane: over HTTP (`POST /ng`), or over UDP as SIP proxies send them. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  dictionaryFromJson,
  dictionaryToJson,
  formatNgMessage,
  parseNgMessage,
} from '../../src/wire/ng-message.ts';

/** A dictionary of texts, numbers, lists of texts and dictionaries. */
export type NgDictionary = Readonly<Record<string, unknown>>;

export interface NgClient {
  /** Rejects where nobody answers, or the answer is no dictionary; `result: error` is an answer. */
  command(dictionary: NgDictionary): Promise<NgDictionary>;
}

const ANSWER_MS_MAX = 3000;
const TRIES = 3;

/** @param url of the whole endpoint: `http://10.10.0.20:8080/ng` */
export function httpNgClient(url: string, token: string | undefined): NgClient {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return {
    async command(dictionary) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorization },
        body: JSON.stringify(dictionary),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      if (response.status !== 200) throw new Error(`${url} answers ${response.status}`);
      const answer: unknown = await response.json().catch(() => undefined);
      if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
        throw new Error(`${url} answers no JSON dictionary`);
      return answer as NgDictionary;
    },
  };
}

export function udpNgClient(address: string, port: number): NgClient {
  return {
    async command(dictionary) {
      const cookie = randomBytes(6).toString('hex');
      const command = dictionaryFromJson(JSON.stringify(dictionary));
      if (!command) throw new Error(`no ng command: ${JSON.stringify(dictionary)}`);
      const request = formatNgMessage(cookie, 'bencode', command);
      const socket = createSocket('udp4');
      try {
        // Repeated with the same cookie, which an engine answers from memory.
        for (let left = TRIES; left > 0; left--) {
          socket.send(request, port, address);
          const signal = AbortSignal.timeout(ANSWER_MS_MAX / TRIES);
          const reply = await once(socket, 'message', { signal }).catch(() => undefined);
          const message = reply && parseNgMessage(reply[0] as Buffer);
          if (message?.cookie === cookie && message.dictionary)
            return JSON.parse(dictionaryToJson(message.dictionary)) as NgDictionary;
        }
      } finally {
        socket.close();
      }
      throw new Error(`no answer to ng ${String(dictionary.command)} from ${address}:${port}`);
    },
  };
}
