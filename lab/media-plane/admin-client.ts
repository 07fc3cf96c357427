/** What the lab asks a node's admin server for. */
import type { CallStatus } from '../../src/admin/call-status.ts';
import type { TurnStatus } from '../../src/admin/source.ts';
import type { CallRecord } from '../../src/metrics/call-record.ts';
import type { IceMetricsReport } from '../../src/metrics/ice-metrics.ts';

const ANSWER_MS_MAX = 3000;

export class AdminClient {
  readonly url: string;
  readonly token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.token = token;
  }

  /** Why the node is not healthy, or cannot be asked; undefined when it is. */
  async healthProblem(): Promise<string | undefined> {
    return this.#fetch('/healthz').then(
      () => undefined,
      ({ message, cause }: Error) => (cause instanceof Error ? cause.message : message),
    );
  }

  calls(): Promise<{ readonly calls: readonly CallStatus[] }> {
    return this.#json('/api/calls');
  }

  history(): Promise<{ readonly calls: readonly CallRecord[] }> {
    return this.#json('/api/calls/history');
  }

  iceMetrics(): Promise<IceMetricsReport> {
    return this.#json('/api/ice-metrics');
  }

  turn(): Promise<TurnStatus> {
    return this.#json('/api/turn');
  }

  async addCredential(name: string, password: string): Promise<void> {
    await this.#fetch('/api/credentials', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, password }),
    });
  }

  async removeCredential(name: string): Promise<void> {
    await this.#fetch(`/api/credentials/${encodeURIComponent(name)}`, { method: 'DELETE' });
  }

  async #json<Answer>(path: string): Promise<Answer> {
    return (await (await this.#fetch(path)).json()) as Answer;
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${this.token}` };
    const response = await fetch(`${this.url}${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    if (!response.ok) throw new Error(`${this.url}${path} answers ${response.status}`);
    return response;
  }
}
