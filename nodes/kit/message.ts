/** What an input message asks a node to do: `payload.action`, or `msg.action`, in lower case; undefined where it asks nothing. */
export function actionOf(msg: object): string | undefined {
  const { payload, action } = msg as { payload?: unknown; action?: unknown };
  const asked = typeof payload === 'object' && payload !== null && 'action' in payload ? payload.action : action;
  return typeof asked === 'string' ? asked.toLowerCase() : undefined;
}
