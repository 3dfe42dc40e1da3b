#nullable enable
using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using static System.Math;
using Names = System.Collections.Generic.Dictionary<string, System.Collections.Generic.List<int>>;

[assembly: CLSCompliant(false)]

namespace Sample.Catalog
{
    /// <summary>A catalog of books; it's a sample for the syntax tests. "Quotes" &amp; more.</summary>
    /// <typeparam name="T">What is kept.</typeparam>
    public interface ICatalog<in TKey, out T> : IDisposable
        where TKey : notnull, IComparable<TKey>
        where T : class, new()
    {
        T this[TKey key] { get; }
        int Count { get; protected set; }
        event EventHandler<ItemEventArgs>? Changed;
        Task<bool> SaveAsync(Stream stream, bool leaveOpen = false);
        string Describe() => $"{GetType().Name} of {Count}";
    }

    public sealed class ItemEventArgs : EventArgs
    {
        public ItemEventArgs(string name) => Name = name;

        public string Name { get; init; } = "";
    }

    [Flags]
    public enum Shelves : byte
    {
        None = 0,
        Top = 1 << 0,
        Middle = 0b10,
        Bottom = 0x0_4,
        All = Top | Middle | Bottom,
    }

    public readonly record struct Isbn(string Text, int Check)
    {
        public static Isbn Empty { get; } = new("", 0);

        public static implicit operator string(Isbn isbn) => isbn.Text;

        public static bool operator <(Isbn left, Isbn right) => string.CompareOrdinal(left.Text, right.Text) < 0;

        public static bool operator >(Isbn left, Isbn right) => right < left;
    }

    public record Book(string Title, decimal Price = 9.99m)
    {
        public Shelves Shelves { get; set; } = Shelves.Top | Shelves.Bottom;
        public required Isbn Isbn { get; init; }
        private protected virtual string Label => $"{Title,-20} {Price:F2} {{{Isbn.Text}}}";

        public sealed override string ToString() => Label;
    }

    internal static class Extensions
    {
        internal const string Verbatim = @"C:\books\""new""
second line";
        private const char Quote = '\'', Tab = '\t', Letter = 'x', Code = '\u00e9';

        public static IEnumerable<(int Index, T Item)> Numbered<T>(this IEnumerable<T> items, int start = 0)
        {
            var index = start;
            foreach (var item in items)
            {
                if (item is null) yield break;
                yield return (index++, item);
            }
        }

        public static string Quoted(this string text) => Quote + text.Replace("\"", "\\\"") + Quote;
    }

    public abstract class Store<T> : ICatalog<string, Book>
    {
        private readonly Dictionary<string, Book> _books = new(StringComparer.OrdinalIgnoreCase);
        protected static readonly int[] Sizes = { 1, 2, 3 };
        private volatile bool _closed;
        private int[,] _grid = new int[2, 3];

        protected Store(params string[] names)
            : base()
        {
            foreach (ref readonly var name in names.AsSpan())
            {
                _books[name] = new Book(name) { Isbn = new Isbn { Text = name, Check = name.Length % 11 } };
            }
        }

        ~Store() => Dispose(false);

        public event EventHandler<ItemEventArgs>? Changed;

        public event Action<int> Moved
        {
            add { lock (_books) { _moved += value; } }
            remove => _moved -= value;
        }

        private Action<int>? _moved;

        public Book this[string key]
        {
            get => _books.TryGetValue(key, out var book) ? book : throw new KeyNotFoundException(key);
            protected set
            {
                ArgumentNullException.ThrowIfNull(value);
                _books[key] = value;
                Changed?.Invoke(this, new ItemEventArgs(key));
            }
        }

        public int Count
        {
            get { return _books.Count; }
            set { throw new NotSupportedException(nameof(Count)); }
        }

        protected abstract T Convert(Book book);

        public virtual async Task<bool> SaveAsync(Stream stream, bool leaveOpen = false)
        {
            if (_closed) return false;
            await using var writer = new StreamWriter(stream, leaveOpen: leaveOpen);
            try
            {
                foreach (var (index, book) in _books.Values.Numbered(start: 1))
                {
                    await writer.WriteLineAsync($"{index}: {(book.Price > 10 ? "dear" : "cheap")} {book.Title}").ConfigureAwait(false);
                }

                return true;
            }
            catch (IOException error) when (error.HResult is not 0 and < 100)
            {
                Console.Error.WriteLine(error.Message);
                throw;
            }
            catch
            {
                return default;
            }
            finally
            {
                _closed ^= true;
            }
        }

        public IEnumerable<IGrouping<char, string>> Index() =>
            from book in _books.Values
            let title = book.Title.Trim()
            where title.Length > 0 && book.Price is >= 1 and <= 100
            orderby title descending, book.Price
            group title by char.ToUpper(title[0]);

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (!disposing) return;
            _books.Clear();
            _grid[0, 1] = Sizes[^1] + Sizes[0..2].Length;
        }
    }

    public partial class Shop : Store<string>
    {
        private delegate bool Test(in Book book, ref int count, out string? why);

        public Shop(IEnumerable<string> names) : base(names.ToArray())
        {
        }

        protected override string Convert(Book book) => book switch
        {
            { Price: 0 } => "free",
            { Title: "" or null } => "untitled",
            { Price: var price, Title: { Length: > 10 } title } when price < 5m => title[..10] + "…",
            Book { Shelves: Shelves.None } b => b.ToString(),
            _ => "book",
        };

#region Searching
        public int Search(int[] sorted, int wanted)
        {
            int low = 0, high = sorted.Length - 1;
            while (low <= high)
            {
                var middle = low + ((high - low) >> 1);
                switch (sorted[middle].CompareTo(wanted))
                {
                    case 0:
                        return middle;
                    case < 0:
                        low = middle + 1;
                        break;
                    default:
                        high = middle - 1;
                        continue;
                }
            }

            return ~low;
        }
#endregion

#if DEBUG && !RELEASE
        [Obsolete("debugging only"), EditorBrowsable(EditorBrowsableState.Never)]
        public void Dump() => Console.WriteLine(string.Join(", ", Index().Select(g => $"{g.Key}={g.Count()}")));
#else
        public void Dump() { }
#endif

        public static unsafe int Peek(byte* pointer, int offset)
        {
            fixed (byte* first = new byte[4])
            {
                var here = pointer + offset;
                return *here + first[0] + sizeof(int);
            }
        }

        public void Loop()
        {
            for (int i = 0, j = 10; i < j; i += 2, j--)
            {
                if (i == 3) goto done;
                do
                {
                    checked { j -= i * 2; }
                } while (j > 100);
            }

        done:
            bool Check(in Book book, ref int count, out string? why)
            {
                why = book?.Title ?? "none";
                return ++count > 1;
            }

            Test test = Check;
            var total = 0;
            var found = test(new Book("A") { Isbn = Isbn.Empty }, ref total, out _);
            var anonymous = new { Name = "x", total, Nested = new[] { 1, 2 } };
            object boxed = found ? anonymous.Name : (object)anonymous.Nested;
            if (boxed is string { Length: 1 } text && !text.Equals("y")) Console.WriteLine(text!.Quoted());
            Names names = new() { ["a"] = new List<int> { 1, 2 }, ["b"] = new() };
            names["a"]?.ForEach(n => total += n);
            names["b"] ??= new List<int>();
            var raw = """
                A "raw" string, it's indented
                """;
            int? maybe = total > 0 ? total : null;
            static double Area(double r) => PI * Pow(r, 2d);
            Console.WriteLine($@"{raw.Length} ""{maybe ?? -1}"" {Area(1.5e-1f):0.00}
{typeof(List<>).Name}");
        }

        public static async Task<int> Main(string[] args)
        {
            using (var shop = new Shop(args.Length > 0 ? args : new[] { "One", "Two" }))
            {
                shop.Changed += delegate (object? sender, ItemEventArgs e) { Console.WriteLine(e.Name); };
                shop.Changed += (_, e) => Console.WriteLine(e?.Name);
                var results = await Task.WhenAll(Enumerable.Range(0, 3).Select(async i =>
                {
                    await Task.Delay(i * 10);
                    return i % 2 == 0;
                }));
                return results.All(r => r) ? 0 : 1;
            }
        }
    }
}
