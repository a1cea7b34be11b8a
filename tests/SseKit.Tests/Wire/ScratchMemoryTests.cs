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

        // The JSON goes through a scratch of its own, which its writer keeps.
        var frames = ScratchFrames.Rent();
        EventFrame.Write(frames, SseEvent.Json(new string('x', 1_000_000)), options);
        var json = frames.Json;
        Assert.True(frames.Written.Length > 1_000_000);
        frames.Return();

        Assert.InRange(frames.GetSpan(1).Length, 1, 64 * 1024);
        Assert.True(json.Written.IsEmpty);
        Assert.InRange(json.GetMemory(1).Length, 1, 64 * 1024);
    }
}
