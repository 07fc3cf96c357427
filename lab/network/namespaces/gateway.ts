/** A home's gateway: what it is set to do, and the changes to that, one after the other. */
import { HOMES, type HomeName, type NatKind } from '../../topology.ts';
import { type GatewayState, gatewayRules, initialState } from './gateway-rules.ts';
import { rebindBatch } from './layout.ts';
import type { NetworkSpace } from './network-space.ts';

const ZONE_MAX = 65_535;

export class Gateway {
  readonly #home: HomeName;
  readonly #space: NetworkSpace;
  #state: GatewayState;
  #lastZone = 2;
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(home: HomeName, space: NetworkSpace) {
    this.#home = home;
    this.#space = space;
    this.#state = initialState(home);
  }

  static async create(home: HomeName, space: NetworkSpace): Promise<Gateway> {
    const gateway = new Gateway(home, space);
    await gateway.#apply(gateway.#state);
    return gateway;
  }

  setNat(kind: NatKind): Promise<void> {
    return this.#change(async () => {
      if (kind === this.#state.kind) return;
      await this.#apply({ ...this.#state, kind, udpZone: this.#nextZone() });
    });
  }

  rebind(): Promise<string> {
    return this.#change(async () => {
      const { wanAddress } = this.#state;
      const { wanAddresses } = HOMES[this.#home];
      const next =
        wanAddresses[(wanAddresses.indexOf(wanAddress) + 1) % wanAddresses.length] ?? wanAddresses[0];
      await this.#space.run(['ip', '-batch', '-'], rebindBatch(this.#home, wanAddress, next));
      const zones = { udpZone: this.#nextZone(), tcpZone: this.#nextZone() };
      await this.#apply({ ...this.#state, wanAddress: next, ...zones });
      return next;
    });
  }

  setLoss(percent: number): Promise<void> {
    return this.#change(() => this.#apply({ ...this.#state, lossPercent: percent }));
  }

  async #apply(state: GatewayState): Promise<void> {
    await this.#space.run(['nft', '-f', '-'], gatewayRules(this.#home, state));
    this.#state = state;
  }

  /** When the change before is done, whatever became of it. */
  #change<Result>(change: () => Promise<Result>): Promise<Result> {
    const changed = this.#lastChange.then(change, change);
    this.#lastChange = changed.catch(() => {});
    return changed;
  }

  /** By the time that numbers come again, what they stood for has long expired. */
  #nextZone(): number {
    this.#lastZone = (this.#lastZone % ZONE_MAX) + 1;
    return this.#lastZone;
  }
}
