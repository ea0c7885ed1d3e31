import type { Random } from '../seeded-random';
import type { ServerClock } from './clock';
import { bytes } from './site';

/** Sessions by token; each ends after `idleMs` without use. */
export class Sessions {
  /** Token to the time of the last use. */
  private readonly lastUse = new Map<string, number>();
  private readonly ended = new Set<string>();

  constructor(
    private readonly clock: Pick<ServerClock, 'now'>,
    private readonly idleMs: number,
    private readonly random: Random,
  ) {}

  /** URL-safe base64 with the names readable inside, as the real one has them (facts A2). */
  open(user: string, clientName: string): string {
    const token = Buffer.concat([Buffer.from([1, 0x81, 0, 0x7e]), bytes(this.random, 24), Buffer.from(`${clientName}\0${user}`)]).toString('base64url');
    this.lastUse.set(token, this.clock.now());
    return token;
  }

  /** Use keeps a session alive. */
  use(token: string): 'open' | 'expired' | 'unknown' {
    this.expireIdle();
    if (!this.lastUse.has(token)) return this.ended.has(token) ? 'expired' : 'unknown';
    this.lastUse.set(token, this.clock.now());
    return 'open';
  }

  end(token: string): void {
    if (this.lastUse.delete(token)) this.ended.add(token);
  }

  endAll(): void {
    for (const token of this.lastUse.keys()) this.end(token);
  }

  /** As a restart does: none of them was ever known. */
  forget(): void {
    this.lastUse.clear();
    this.ended.clear();
  }

  get count(): number {
    this.expireIdle();
    return this.lastUse.size;
  }

  private expireIdle(): void {
    const oldest = this.clock.now() - this.idleMs;
    for (const [token, used] of this.lastUse) if (used < oldest) this.end(token);
  }
}
