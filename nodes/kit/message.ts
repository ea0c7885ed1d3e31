/**
 * What an input message asks a node to do: `payload.action`, or `msg.action`, in lower case; undefined where it asks nothing.
 * A camera event asks nothing, although it has an action of its own.
 */
export function actionOf(msg: object): string | undefined {
  const { payload, action } = msg as { payload?: unknown; action?: unknown };
  if (typeof payload !== 'object' || payload === null || !('action' in payload)) {
    return typeof action === 'string' ? action.toLowerCase() : undefined;
  }
  const isEvent = 'source' in payload && 'code' in payload;
  return typeof payload.action === 'string' && !isEvent ? payload.action.toLowerCase() : undefined;
}
