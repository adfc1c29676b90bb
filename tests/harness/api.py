# SPDX-License-Identifier: Apache-2.0
"""The agent's gRPC API through python3-grpcio, an implementation that is not ours.

The messages are generated from proto/ once for a session; the stubs come from the services' descriptors, so that no
plug-in for them is needed.
"""

import contextlib
import glob
import importlib
import os
import subprocess
import sys
import time

import google
import grpc

from harness import PATIENCE, TOP

SERVICES = {
    "jobs": ("hoist.v1.job_service_pb2", "JobService"),
    "agent": ("hoist.v1.agent_service_pb2", "AgentService"),
    "health": ("grpc.health.v1.health_pb2", "Health"),
}


def generate(directory):
    """Generates the messages into `directory` and makes them importable as hoist.v1.job_pb2 and so on."""
    protos = [os.path.relpath(path, f"{TOP}/proto") for path in glob.glob(f"{TOP}/proto/**/*.proto", recursive=True)
              if "/internal/" not in path]
    subprocess.run(["protoc", f"--proto_path={TOP}/proto", "--proto_path=/usr/include", f"--python_out={directory}"]
                   + protos, check=True, timeout=PATIENCE)
    sys.path.insert(0, directory)
    # These two exist as packages; ours lie beside their modules.
    google.__path__.append(f"{directory}/google")
    grpc.__path__.append(f"{directory}/grpc")


def message(name):
    """A message or enum of hoist.v1: message("JobSpec")."""
    for module in ("job", "job_service", "agent_service", "reason"):
        found = getattr(importlib.import_module(f"hoist.v1.{module}_pb2"), name, None)
        if found is not None:
            return found
    raise AttributeError(name)


def word(kind, number):
    """The name of an enum's value without its prefix: word("JobState", 3) is "RUNNING"."""
    name = message(kind).Name(number)
    prefix = {"JobState": "JOB_STATE_", "Cause": "CAUSE_", "Reason": "REASON_", "Stream": "STREAM_"}[kind]
    return name[len(prefix):]


def seconds(number):
    """A google.protobuf.Duration as fields take it."""
    whole = int(number)
    return {"seconds": whole, "nanos": round((number - whole) * 1e9)}


def amounts(**limits):
    """hoist.v1.Limits as fields take it: amounts(pids_max=64)."""
    return {name: {"value": value} for name, value in limits.items()}


def ending(job):
    """How a job ended, in the words of the API: (state, cause, exit code or None, signal)."""
    return (word("JobState", job.state), word("Cause", job.cause), job.exit_code if job.has_exit_code else None,
            job.signal)


class Service:
    """The methods of one service. Each takes the request's fields by name, or `request=`, and `timeout=`."""

    def __init__(self, channel, module, name):
        descriptor = importlib.import_module(module).DESCRIPTOR.services_by_name[name]
        for method in descriptor.methods:
            setattr(self, method.name, self._caller(channel, descriptor.full_name, method))

    @staticmethod
    def _caller(channel, service, method):
        request_class = method.input_type._concrete_class
        # Old descriptors don't tell whether a method streams; the API has three that do.
        streams = method.name in ("StreamOutput", "Watch", "WatchJob")
        connect = channel.unary_stream if streams else channel.unary_unary
        call = connect(f"/{service}/{method.name}", request_serializer=request_class.SerializeToString,
                       response_deserializer=method.output_type._concrete_class.FromString)

        def invoke(request=None, timeout=PATIENCE, metadata=None, **fields):
            return call(request if request is not None else request_class(**fields), timeout=timeout,
                        metadata=metadata)

        if not streams:  # the same without waiting: a grpc.Future
            invoke.begin = lambda **fields: call.future(request_class(**fields), timeout=PATIENCE)
        return invoke


class Client:
    """One client's channel: .jobs, .agent and .health are the services."""

    def __init__(self, environment, options=()):
        def read(name):
            with open(environment[name], "rb") as file:
                return file.read()

        credentials = grpc.ssl_channel_credentials(read("HOIST_CA"), read("HOIST_KEY"), read("HOIST_CERT"))
        # A channel of its own: by default channels with equal credentials share one connection.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), *options]
        self.channel = grpc.secure_channel(f"{environment['HOIST_HOST']}:{environment['HOIST_PORT']}", credentials,
                                           options=options)
        for attribute, (module, name) in SERVICES.items():
            setattr(self, attribute, Service(self.channel, module, name))

    def close(self):
        self.channel.close()

    def connected(self, within=PATIENCE):
        """Returns when there is a connection. A channel that has become idle makes none for who waits already, but for who
        begins to wait: so that is done each second."""
        deadline = time.monotonic() + within
        while True:
            ready = grpc.channel_ready_future(self.channel)
            try:
                return ready.result(max(0, min(1, deadline - time.monotonic())))
            except grpc.FutureTimeoutError:
                ready.cancel()
                if time.monotonic() >= deadline:
                    raise

    # --- the common ways of using it

    def start(self, *argv, **spec):
        """Starts a command and returns the Job."""
        argv = [part.encode() if isinstance(part, str) else part for part in argv]
        return self.jobs.StartJob(spec={"command": argv[0], "args": argv[1:], **spec})

    def wait(self, job, timeout=PATIENCE):
        return self.jobs.WaitJob(name=getattr(job, "name", job), timeout=timeout)

    def wait_for(self, job, duration):
        """The job as it is after so many seconds, or as it ended before."""
        request = message("WaitJobRequest")(name=getattr(job, "name", job), timeout=seconds(duration))
        return self.jobs.WaitJob(request, timeout=duration + PATIENCE)

    def run(self, *argv, **spec):
        """Starts a command and returns the Job as it ended."""
        return self.wait(self.start(*argv, **spec))

    def stop(self, job, grace=None, **fields):
        """StopJob; grace in seconds."""
        if grace is not None:
            fields["grace"] = seconds(grace)
        return self.jobs.StopJob(name=getattr(job, "name", job), **fields)

    def end(self, job, grace=None):
        """Stops it, and waits longer for its end than the stop may: on a machine that is slow."""
        self.stop(job, grace)
        return self.wait(job)

    def await_state(self, job, state):
        """The job, once it is in that state: "RUNNING"."""
        watch = self.jobs.WatchJob(name=getattr(job, "name", job), interval=seconds(60))
        found = next((each.job for each in watch if word("JobState", each.job.state) == state), None)
        watch.cancel()
        assert found, f"the job ended without being {state}"
        return found

    def await_output(self, job, wanted):
        """Returns when the bytes `wanted` are among the job's output."""
        data = b""
        responses = self.jobs.StreamOutput(name=job.name, follow=True)
        for response in responses:
            data += response.chunk.data
            if wanted in data:
                responses.cancel()
                return
        raise AssertionError(f"the output ended without {wanted!r}: {data[-500:]!r}")

    def release(self, job, signal="USR1"):
        """Sends the signal that a job awaits, once it has said something: before its first instruction it would die."""
        stream = self.jobs.StreamOutput(name=job.name, follow=True)
        next(stream)
        stream.cancel()
        self.jobs.SignalJob(name=job.name, signal=signal)

    def output(self, job, follow=True, **fields):
        """All output, or from the start that the fields give: an Output."""
        return Output(self.jobs.StreamOutput(name=getattr(job, "name", job), follow=follow, **fields))


class Output:
    """A whole stream of output, checked for being whole: offsets without holes, one summary and it last."""

    def __init__(self, responses):
        self.data, self.stdout, self.stderr, self.summary, self.gaps = b"", b"", b"", None, []
        parts, out, err, at = [], [], [], None
        stream = message("Stream")
        for response in responses:
            assert self.summary is None, "something came behind the summary"
            kind = response.WhichOneof("kind")
            if kind == "chunk":
                chunk = response.chunk
                parts.append(chunk.data)
                (err if chunk.stream == stream.Value("STREAM_STDERR") else out).append(chunk.data)
                assert at is None or chunk.offset >= at, "an offset went back"
                at = chunk.offset + len(chunk.data)
            elif kind == "gap":
                self.gaps.append((response.gap.start, response.gap.end))
            elif kind == "summary":
                self.summary = response.summary
        assert self.summary is not None, "the stream ended without a summary"
        self.data, self.stdout, self.stderr = b"".join(parts), b"".join(out), b"".join(err)
        assert self.summary.bytes == len(self.data)


def error_info(error):
    """google.rpc.ErrorInfo of a failed call as (reason, {metadata}), or (None, {})."""
    status_pb2 = importlib.import_module("google.rpc.status_pb2")
    details_pb2 = importlib.import_module("google.rpc.error_details_pb2")
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    assert info.domain == "hoist"
                    return info.reason, dict(info.metadata)
    return None, {}


class Refusal:
    """What refused() found: .message, .reason, .metadata."""

    message = reason = None
    metadata = {}


@contextlib.contextmanager
def refused(code, reason=None):
    """The call inside must fail with this code (a name) and this reason."""
    refusal = Refusal()
    try:
        yield refusal
    except grpc.RpcError as error:
        refusal.message = error.details()
        refusal.reason, refusal.metadata = error_info(error)
        assert error.code().name == code, f"{error.code().name}: {error.details()}"
        assert reason is None or refusal.reason == reason, f"{refusal.reason}: {error.details()}"
        return
    raise AssertionError(f"the call succeeded, {code} was expected")
