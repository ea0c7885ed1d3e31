/** A connection state as the status under the node: colour by state, words from the catalogue, what is left of a block. */
import type { ConnectionState } from './connection';
import type { Kit } from './node';

const MINUTE = 60_000;

export class ConnectionStatus {
  readonly #kit: Kit<unknown>;
  #cancel: () => void = () => undefined;

  constructor(kit: Kit<unknown>) {
    this.#kit = kit;
    kit.signal.addEventListener('abort', () => this.#cancel(), { once: true });
  }

  show(state: ConnectionState): void {
    this.#cancel();
    const kit = this.#kit;
    switch (state.state) {
      case 'connected':
        { kit.status('green', 'dot', 'connected'); return; }
      case 'connecting':
        // After a failure its reason stays in sight while the next attempt is made.
        if (state.reason) { kit.status('red', 'ring', 'reconnecting', { reason: this.#reason(state.reason.code) }); return; }
        { kit.status('yellow', 'ring', 'connecting'); return; }
      case 'disconnected':
        { kit.status('red', 'ring', 'disconnected', {
          reason: this.#reason(state.reason.code),
          seconds: Math.ceil(state.retryInMs / 1000),
        }); return; }
      case 'blocked':
        { this.#countDown(state.reason.code, kit.clock.monotonic() + state.retryInMs); return; }
      case 'stopped':
        { kit.status('grey', 'ring', 'stopped'); return; }
    }
  }

  #countDown(code: string, until: number): void {
    const left = until - this.#kit.clock.monotonic();
    if (left <= 0) return;
    this.#kit.status('red', 'dot', 'blocked', { reason: this.#reason(code), minutes: Math.ceil(left / MINUTE) });
    this.#cancel = this.#kit.clock.after(Math.min(left, MINUTE), () => this.#countDown(code, until));
  }

  #reason(code: string): string {
    return this.#kit.translate(`reason.${code}`);
  }
}
