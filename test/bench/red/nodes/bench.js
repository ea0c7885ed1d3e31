// Nodes that only measure: a sink, a bare pass-through, a source, and a device whose stream is driven by the benchmark.
'use strict';
const { defineNode } = require('../../../../dist/kit/node.js');
const { z } = require('zod');

const now = () => performance.timeOrigin + performance.now();
const sink = (globalThis.benchSink = { latencies: [], received: 0 });
let source;
let subscriber;

module.exports = (RED) => {
  RED.nodes.registerType('bench-sink', function (def) {
    RED.nodes.createNode(this, def);
    this.on('input', (msg, send, done) => {
      sink.received++;
      const sentAt = msg.payload.data?.SentAt;
      if (sentAt) sink.latencies.push(now() - sentAt);
      done();
    });
  });
  RED.nodes.registerType('bench-pass', function (def) {
    RED.nodes.createNode(this, def);
    this.on('input', (msg, send, done) => {
      send(msg);
      done();
    });
  });
  RED.nodes.registerType('bench-source', function (def) {
    RED.nodes.createNode(this, def);
    source = this;
  });
  defineNode({
    type: 'bench-device',
    config: z.object({}),
    start: () => ({
      provides: {
        address: 'bench',
        stream: {
          subscribe(given) {
            subscriber = given;
            return () => undefined;
          },
          retry() {},
        },
      },
    }),
  })(RED);
};

const event = (id) => ({
  id: String(id),
  source: 'cgi',
  device: { id: 'bench' },
  channel: 0,
  code: 'CrossLineDetection',
  action: 'start',
  time: '2026-01-01T00:00:00.000Z',
  timeSource: 'device',
  receivedAt: '2026-01-01T00:00:00.000Z',
  data: { UTC: 1 },
});

/** Messages per second: source → pass-through → sink, and stream → cgi-events → sink, in turns. */
globalThis.benchHop = async () => {
  const measure = async (send) => {
    const count = 100_000;
    const goal = sink.received + count;
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      send(i);
      // Node-RED queues every hop: without a pause the queue, not the hop, would be measured.
      if (i % 500 === 499) while (sink.received < goal - count + i - 499) await new Promise(setImmediate);
    }
    while (sink.received < goal) await new Promise(setImmediate);
    return (count / (performance.now() - start)) * 1000;
  };
  const rounds = [];
  for (let round = 0; round < 7; round++) {
    const pass = await measure((i) => source.send({ topic: 'cgi/bench/CrossLineDetection', payload: event(i) }));
    const ours = await measure((i) => subscriber.event(event(i)));
    if (round > 0) rounds.push({ pass, ours });
  }
  return rounds;
};
