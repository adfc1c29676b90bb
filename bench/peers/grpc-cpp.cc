// SPDX-License-Identifier: Apache-2.0
//
// gRPC C++ over mutual TLS, with its callback API, which is its fastest:
//
//   grpc-cpp serve FILE CERT KEY CA     prints its port, serves until stdin ends
//   grpc-cpp fetch PORT CERT KEY CA     prints the bytes of all messages
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "stream.grpc.pb.h"

namespace {

constexpr size_t message_size = 64 * 1024;

std::string contents(const std::string &path)
{
    std::ifstream file(path);

    return {std::istreambuf_iterator<char>(file), {}};
}

class Sender : public grpc::ServerWriteReactor<bench::v1::FetchResponse> {
public:
    explicit Sender(const char *path) : file_(open(path, O_RDONLY | O_CLOEXEC)) { send(); }
    void OnWriteDone(bool ok) override
    {
        if (ok)
            send();
        else
            Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override
    {
        close(file_);
        delete this;
    }

private:
    void send()
    {
        std::string *data = message_.mutable_data();
        ssize_t n;

        data->resize(message_size);
        n = pread(file_, data->data(), message_size, at_);
        if (n <= 0) {
            Finish(grpc::Status::OK);
            return;
        }
        data->resize(static_cast<size_t>(n));
        at_ += n;
        StartWrite(&message_);
    }

    int file_;
    off_t at_ = 0;
    bench::v1::FetchResponse message_;
};

class Service : public bench::v1::StreamService::CallbackService {
public:
    explicit Service(const char *path) : path_(path) {}
    grpc::ServerWriteReactor<bench::v1::FetchResponse> *
    Fetch(grpc::CallbackServerContext *, const bench::v1::FetchRequest *) override
    {
        return new Sender(path_);
    }

private:
    const char *path_;
};

int serve(char **argv)
{
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    Service service(argv[2]);
    grpc::ServerBuilder builder;
    int port = 0;

    options.pem_key_cert_pairs.push_back({contents(argv[4]), contents(argv[3])});
    options.pem_root_certs = contents(argv[5]);
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server(builder.BuildAndStart());
    if (!server)
        return 1;
    std::cout << port << std::endl;
    std::cin.get();
    server->Shutdown();
    return 0;
}

int fetch(char **argv)
{
    grpc::SslCredentialsOptions options{contents(argv[5]), contents(argv[4]), contents(argv[3])};
    grpc::ChannelArguments arguments;
    grpc::ClientContext context;
    bench::v1::FetchResponse response;
    unsigned long long bytes = 0;

    arguments.SetSslTargetNameOverride("localhost");
    auto channel = grpc::CreateCustomChannel("127.0.0.1:" + std::string(argv[2]),
                                             grpc::SslCredentials(options), arguments);
    auto reader = bench::v1::StreamService::NewStub(channel)->Fetch(&context, {});
    while (reader->Read(&response))
        bytes += response.data().size();
    grpc::Status status = reader->Finish();
    if (!status.ok()) {
        std::cerr << status.error_message() << std::endl;
        return 1;
    }
    std::cout << bytes << std::endl;
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    return std::string(argv[1]) == "serve" ? serve(argv) : fetch(argv);
}
