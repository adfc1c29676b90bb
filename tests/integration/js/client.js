// SPDX-License-Identifier: Apache-2.0
//
// client.js SCENARIO [ARGUMENT…]: one scenario against the agent of HOIST_HOST, told as one line of JSON.
// $HOIST_PROTO is the directory of our .proto files.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const env = process.env;
const definition = protoLoader.loadSync(
  ['hoist/v1/job_service.proto', 'hoist/v1/agent_service.proto', 'google/rpc/status.proto',
    'google/rpc/error_details.proto'],
  { includeDirs: [env.HOIST_PROTO], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true });
const { v1 } = grpc.loadPackageDefinition(definition).hoist;

const credentials = grpc.credentials.createSsl(
  fs.readFileSync(env.HOIST_CA), fs.readFileSync(env.HOIST_KEY), fs.readFileSync(env.HOIST_CERT));
const address = `${env.HOIST_HOST}:${env.HOIST_PORT}`;
const jobs = new v1.JobService(address, credentials);
const agent = new v1.AgentService(address, credentials);

const SOON = 300; // milliseconds: a deadline that passes
const LATER = 60000;

const after = (milliseconds) => ({ deadline: new Date(Date.now() + milliseconds) });

// One unary call as a promise.
function call(service, method, request, options = after(LATER)) {
  return new Promise((resolve, reject) => {
    service[method](request, new grpc.Metadata(), options,
      (error, response) => (error ? reject(error) : resolve(response)));
  });
}

const unpack = (type, bytes) => definition[type].deserialize(bytes);

// A failed call with its google.rpc.ErrorInfo.
function failure(error) {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const told = { code: error.code, message: error.details };
  if (bytes) {
    const status = unpack('google.rpc.Status', bytes);
    const [any] = status.details;
    Object.assign(told, { status: status.code, type: any.type_url, info: unpack('google.rpc.ErrorInfo', any.value) });
  }
  return told;
}

async function failing(promise) {
  try {
    await promise;
  } catch (error) {
    return failure(error);
  }
  throw new Error('the call succeeded');
}

// Reads a stream to its end; `each` sees every response and may end it.
function read(stream, each = () => {}) {
  return new Promise((resolve) => {
    const sums = { STREAM_STDOUT: crypto.createHash('sha256'), STREAM_STDERR: crypto.createHash('sha256') };
    const told = { bytes: 0, messages: 0, summary: null };
    stream.on('data', (response) => {
      told.messages += 1;
      if (response.kind === 'chunk') {
        told.bytes += response.chunk.data.length;
        sums[response.chunk.stream].update(response.chunk.data);
      } else if (response.kind === 'summary') {
        told.summary = response.summary;
      }
      each(response);
    });
    stream.on('error', () => {}); // its status says the same
    stream.on('status', (status) => resolve({
      ...told, code: status.code, stdout: sums.STREAM_STDOUT.digest('hex'), stderr: sums.STREAM_STDERR.digest('hex'),
    }));
  });
}

const start = (argv) => call(jobs, 'StartJob', {
  spec: { command: Buffer.from(argv[0]), args: argv.slice(1).map((word) => Buffer.from(word)) },
});

const follow = (name, options = after(LATER)) =>
  jobs.StreamOutput({ name, follow: true }, new grpc.Metadata(), options);

const scenarios = {
  ping: () => call(agent, 'Ping', { payload: Buffer.from('hello') })
    .then((pong) => ({ principal: pong.principal, role: pong.role, payload: pong.payload.toString() })),

  async run(...argv) {
    const job = await start(argv);
    const output = await read(follow(job.name));
    const { state, cause, exit_code: exitCode } = await call(jobs, 'WaitJob', { name: job.name });
    return { output, state, cause, exit_code: exitCode };
  },

  // Many streams of one connection.
  async together(count, ...argv) {
    const job = await start(argv);
    return Promise.all(Array.from({ length: Number(count) }, () => read(follow(job.name))));
  },

  unknown: () => failing(call(jobs, 'GetJob', { name: '00000000-0000-4000-8000-000000000000' })),

  invalid: () => failing(call(jobs, 'StartJob', {
    spec: { command: Buffer.alloc(0), display_name: 'NOT A NAME', cwd: 'relative' },
  })),

  // The message of an error travels percent-encoded.
  wording: (word) => failing(start([word])),

  async cancel(...argv) {
    const job = await start(argv);
    const stream = follow(job.name);
    const ended = await read(stream, () => stream.cancel());
    const { state } = await call(jobs, 'GetJob', { name: job.name });
    await call(jobs, 'StopJob', { name: job.name });
    return { code: ended.code, messages: ended.messages, state };
  },

  async deadline(...argv) {
    const job = await start(argv);
    const waited = failing(call(jobs, 'WaitJob', { name: job.name }, after(SOON)));
    const streamed = read(follow(job.name, after(SOON)));
    const codes = [(await waited).code, (await streamed).code];
    const { state } = await call(jobs, 'StopJob', { name: job.name });
    return { codes, state };
  },
};

async function main([name, ...words]) {
  const told = await scenarios[name](...words);
  process.stdout.write(`${JSON.stringify(told)}\n`);
  jobs.close();
  agent.close();
}

main(process.argv.slice(2));
