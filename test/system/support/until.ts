type Nothing = false | null | undefined;
type Awaitable<T> = T | Promise<T>;

const LIMIT_MS = 60_000;

/**
 * Resolves with the first answer that is something. A condition that never comes true ends the test with `what` instead of a bare time-out.
 * @param what said as in "waited in vain for …"
 */
export async function until<T>(what: string, check: () => Awaitable<T | Nothing>): Promise<T> {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const answer = await check();
    if (answer !== false && answer !== null && answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** Time in which something could happen that must not. */
export const quietTime = (ms = 1500): Promise<void> => new Promise((wake) => setTimeout(wake, ms));
