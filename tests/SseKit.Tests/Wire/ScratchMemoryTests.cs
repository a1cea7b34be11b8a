using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

public sealed class ScratchMemoryTests
{
    [Fact]
    public void A_large_value_leaves_its_memory_with_nobody()
    {
        var options = new JsonSerializerOptions { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

        // The thread's JSON writer keeps the scratch that it wrote to last.
        var scratch = JsonText.Serialize(SseEvent.Json(new string('x', 1_000_000)), options);
        Assert.True(scratch.Written.Length > 1_000_000);
        scratch.Return();

        Assert.InRange(((IBufferWriter<byte>)scratch).GetMemory(1).Length, 1, 64 * 1024);
    }
}
