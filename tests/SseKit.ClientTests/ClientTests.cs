namespace SseKit.ClientTests;

/// <summary>
/// What clients of all kinds make of event streams. Every test asks the same of each client, for SseKit's own stream and for the same stream
/// written by hand behind the middleware.
/// </summary>
public class ClientTests(ClientField field)
{
    public static TheoryData<string, string> EachClient() => Rows(Clients.All, StreamServer.Own, StreamServer.Wrapped);

    public static TheoryData<string, string> EachClientByHand() => Rows(Clients.All, StreamServer.Wrapped);

    [Theory, MemberData(nameof(EachClient))]
    public Task Type_id_and_data_arrive_and_the_id_stays(string client, string form) => ConformsAsync(client, form, "plain");

    [Theory, MemberData(nameof(EachClient))]
    public Task Every_line_end_in_data_arrives_as_a_line_feed(string client, string form) => ConformsAsync(client, form, "lines");

    [Theory, MemberData(nameof(EachClient))]
    public Task Data_that_begins_with_a_line_end_keeps_it(string client, string form) => ConformsAsync(client, form, "leading-line-end");

    [Theory, MemberData(nameof(EachClient))]
    public Task Empty_data_spaces_emoji_and_separators_arrive_as_they_were(string client, string form) => ConformsAsync(client, form, "text");

    [Theory, MemberData(nameof(EachClient))]
    public Task An_empty_id_takes_the_last_one_away(string client, string form) => ConformsAsync(client, form, "ids");

    [Theory, MemberData(nameof(EachClient))]
    public Task An_id_of_any_letters_comes_back(string client, string form) => ConformsAsync(client, form, "unicode-id");

    [Theory, MemberData(nameof(EachClientByHand))]
    public Task An_id_with_a_NUL_is_no_id(string client, string form) => ConformsAsync(client, form, "nul-id");

    [Theory, MemberData(nameof(EachClient))]
    public Task Comments_are_silent(string client, string form) => ConformsAsync(client, form, "comments");

    [Theory, MemberData(nameof(EachClient))]
    public Task Keep_alives_are_silent(string client, string form) => ConformsAsync(client, form, "quiet");

    [Theory, MemberData(nameof(EachClientByHand))]
    public Task Keep_alives_do_not_tear_an_event_that_is_written_in_pieces(string client, string form) => ConformsAsync(client, form, "in-pieces");

    [Theory, MemberData(nameof(EachClientByHand))]
    public Task Keep_alives_do_not_disturb_lines_that_end_with_CRLF(string client, string form) => ConformsAsync(client, form, "crlf");

    [Theory, MemberData(nameof(EachClientByHand))]
    public Task Keep_alives_do_not_disturb_lines_that_end_with_CR(string client, string form) => ConformsAsync(client, form, "cr");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_client_knows_that_it_is_connected_before_the_first_event(string client, string form) => ConformsAsync(client, form, "early");

    [Theory, MemberData(nameof(EachClient))]
    public async Task A_retry_line_of_its_own_is_silent_and_sets_the_time_to_wait(string client, string form)
    {
        await ConformsAsync(client, form, "retry");

        // The stream said 4 s, and no client waits longer than 3 s by itself.
        Assert.All(field.Server.VisitOf(client, form, "retry").Pauses, pause => Assert.True(pause > TimeSpan.FromSeconds(3.9), $"It came back after {pause}."));
    }

    [Theory, MemberData(nameof(EachClient))]
    public async Task A_retry_line_and_an_end_make_a_client_come_back(string client, string form)
    {
        await ConformsAsync(client, form, "retry-at-the-end");

        // The stream had said 10 ms, and said 500 ms at its end. undici takes it with the next blank line only: see the test after this.
        var pauses = field.Server.VisitOf(client, form, "retry-at-the-end").Pauses;
        Assert.All(
            client == Clients.Undici ? [] : pauses.Skip(1),
            pause => Assert.True(pause > TimeSpan.FromMilliseconds(490), $"It came back after {pause}."));
    }

    [Fact]
    public Task A_retry_line_that_ends_a_stream_is_lost_on_undici() => ConformsAsync(Clients.Undici, StreamServer.Wrapped, "long-retry-at-the-end");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_cut_in_the_middle_of_an_event_loses_and_repeats_nothing(string client, string form) => ConformsAsync(client, form, "torn");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_cut_right_behind_the_id_loses_and_repeats_nothing(string client, string form) => ConformsAsync(client, form, "torn-behind-the-id");

    [Theory, MemberData(nameof(EachClient))]
    public Task An_aborted_connection_loses_and_repeats_nothing(string client, string form) => ConformsAsync(client, form, "aborted");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_topic_that_is_cut_in_the_middle_of_an_event_loses_and_repeats_nothing(string client, string form) => ConformsAsync(client, form, "topic");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_position_is_silent_and_comes_back(string client, string form) => ConformsAsync(client, form, "position");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_gap_is_heard_once(string client, string form) => ConformsAsync(client, form, "gap");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_client_comes_back_after_a_clean_end(string client, string form) => ConformsAsync(client, form, "clean-end");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_204_keeps_a_client_away(string client, string form) => ConformsAsync(client, form, "no-content");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_line_of_a_mebibyte_arrives(string client, string form) => ConformsAsync(client, form, "big-line");

    [Theory, MemberData(nameof(EachClient))]
    public Task A_mebibyte_of_many_lines_arrives(string client, string form) => ConformsAsync(client, form, "big-lines");

    private static TheoryData<string, string> Rows(IEnumerable<string> clients, params string[] forms)
    {
        var rows = new TheoryData<string, string>();
        foreach (var client in clients)
        {
            foreach (var form in forms)
            {
                rows.Add(client, form);
            }
        }

        return rows;
    }

    private async Task ConformsAsync(string client, string form, string name)
    {
        var source = Sources.Of(name);
        var seen = await field.SeenAsync(client, $"{form}/{name}");
        var visit = field.Server.VisitOf(client, form, name);
        var actual = new Outcome(
            [.. seen.Heard.Select(heard => heard with { Id = heard.Type == "done" ? "" : visit.Name(heard.Id) })],
            source.Expected.Ids is null ? null : [.. visit.LastEventIds.Select(visit.Name)],
            seen.Ended).WithoutRepetitions(source.MayRepeat);
        var accepted = Deviation.Accepted(client, source).Select(outcome => outcome.ToString()).ToArray();
        Assert.True(
            accepted.Contains(actual.ToString()),
            $"Expected:\n{string.Join("\n\nor:\n", accepted)}\n\nActual:\n{actual}\n\nThe client said: {string.Join("; ", seen.Failures)}");
    }
}
