using System.Text.Json;

namespace Sample.Tools;

// File-scoped namespace, primary constructors, and top-level helpers.
public class Counter(string name, int start = 0)
{
    private int _value = start;

    public string Name { get; } = name;

    public int Next() => Interlocked.Increment(ref _value);

    public override bool Equals(object? other) => other is Counter { Name: var theirs } && theirs == Name;

    public override int GetHashCode() => HashCode.Combine(Name, _value);
}

public static class Program
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
    };

    public static void Run(ReadOnlySpan<char> input)
    {
        var counter = new Counter("main", start: 5);
        foreach (var line in input.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = line.Split('=') is [var k, var v] ? (k.Trim(), v.Trim()) : (line, string.Empty);
            var text = key.Length switch
            {
                0 => "empty",
                > 0 and < 5 => "short",
                _ => "long",
            };
            Console.WriteLine($"{counter.Next():D3} {key} -> {value} ({text}) {JsonSerializer.Serialize(new { key, value }, Options)}");
        }
    }
}
