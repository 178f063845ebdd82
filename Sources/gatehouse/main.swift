import NIOCore
import NIOSSL
import NIOPosix
import AsyncHTTPClient
import ArgumentParser
print("hi")
