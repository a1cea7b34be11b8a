using System.Runtime.InteropServices;

namespace SseKit.Benchmarks.Client;

/// <summary>The system calls of a client for thousands of connections on few threads. Linux.</summary>
internal static unsafe partial class Libc
{
    public const int EpollIn = 1;
    public const int DontWait = 0x40;
    public const int NoSignal = 0x4000;

    [ThreadStatic]
    private static byte[]? t_buffer;

    public static int Connect(int host, int port)
    {
        var socket = Checked(Socket(2, 1, 0), "socket");
        // Dropped without a farewell at the end, so that no port is kept for a minute.
        var linger = 1L;
        Checked(SetSocketOption(socket, 1, 13, &linger, 8), "setsockopt");
        var one = 1;
        Checked(SetSocketOption(socket, 6, 1, &one, 4), "setsockopt");
        var address = stackalloc byte[16];
        *(ushort*)address = 2;
        address[2] = (byte)(port >> 8);
        address[3] = (byte)port;
        // 127.0.0.1 and the following: each has ports of its own.
        (address[4], address[5], address[6], address[7]) = (127, 0, 0, (byte)(1 + host));
        Checked(Connect(socket, address, 16), "connect");
        return socket;
    }

    public static void SendAll(int socket, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (var sent = 0; sent < bytes.Length;)
            {
                sent += (int)Checked(Send(socket, start + sent, bytes.Length - sent, NoSignal), "send");
            }
        }
    }

    /// <summary>Waits for bytes; they are there until the next call on this thread.</summary>
    public static ReadOnlySpan<byte> ReceiveSome(int socket)
    {
        t_buffer ??= GC.AllocateUninitializedArray<byte>(64 * 1024, pinned: true);
        fixed (byte* start = t_buffer)
        {
            var length = Checked(Receive(socket, start, t_buffer.Length, 0), "recv");
            return length > 0 ? t_buffer.AsSpan(0, length) : throw new IOException("The server closed the connection.");
        }
    }

    public static int Checked(nint result, string call) =>
        result >= 0 ? (int)result : throw new IOException($"{call} failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetSocketOption(int socket, int level, int name, void* value, int length);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int Connect(int socket, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint Send(int socket, byte* bytes, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    public static partial nint Receive(int socket, byte* bytes, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    public static partial int EpollControl(int epoll, int operation, int descriptor, EpollEvent* interest);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    public static partial int EpollWait(int epoll, EpollEvent* events, int count, int milliseconds);

    // The kernel packs it on x64 only.
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    public struct EpollEvent
    {
        public int Events;
        public int Index;
        public int Unused;
    }
}
