/** What a source needs of the embedded store: small JSON values that survive a restart. */
export interface CursorStore {
  get(key: string): unknown;
  /** Resolves when the value is durable. */
  set(key: string, value: unknown): Promise<void>;
}
