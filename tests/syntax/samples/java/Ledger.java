package org.example.ledger;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.*;

import java.io.*;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import java.util.function.Supplier;

/**
 * A ledger of accounts and entries; it's a sample for the syntax tests.
 *
 * <p>Contains "quotes", 'apostrophes', {@code braces { }} and a slash / or two.
 *
 * @param <K> what accounts are keyed by
 * @since 1.0
 */
@SuppressWarnings({"unchecked", "rawtypes"})
public final class Ledger<K extends Comparable<? super K> & Serializable> implements Iterable<Ledger.Entry>, AutoCloseable {
    private static final long serialVersionUID = 0x1F_FFL;
    protected static volatile int instances;
    public static final String[] UNITS = {"cents", "\"euros\"", "tab\there", "\u00e9\\"};
    private static final char SEPARATOR = '\'', NEWLINE = '\n', UNICODE = '\u20ac';
    private final Map<K, List<Entry>> entries = new ConcurrentHashMap<>();
    private transient Optional<Listener> listener = Optional.empty();
    private double rate = 1.5e-3d, factor = .5f;
    private int[][] grid = new int[3][];

    static {
        instances = 0b0101 + 017 + 1_000;
    }

    {
        grid[0] = new int[] {1, 2, 3,};
    }

    /** Kinds of entries. */
    public enum Kind implements Supplier<String> {
        DEBIT("d") {
            @Override
            int sign() {
                return -1;
            }
        },
        CREDIT("c"),
        @Deprecated(since = "0.9", forRemoval = true)
        NOTE;

        private final String code;

        Kind() {
            this("n");
        }

        Kind(final String code) {
            this.code = code;
        }

        int sign() {
            return +1;
        }

        @Override
        public String get() {
            return code;
        }
    }

    public record Entry(LocalDate date, BigDecimal amount, Kind kind, String... tags) implements Comparable<Entry> {
        public static final Entry NOTHING = new Entry(LocalDate.MIN, BigDecimal.ZERO, Kind.NOTE);

        public Entry {
            Objects.requireNonNull(date, "date");
            if (amount.signum() < 0) {
                throw new IllegalArgumentException("negative: " + amount);
            }
        }

        Entry(String date, long cents) {
            this(LocalDate.parse(date), BigDecimal.valueOf(cents, 2), Kind.CREDIT, new String[0]);
        }

        @Override
        public int compareTo(Entry other) {
            return Comparator.comparing(Entry::date).thenComparing(Entry::amount, Comparator.reverseOrder()).compare(this, other);
        }
    }

    @FunctionalInterface
    interface Listener {
        void added(Entry entry) throws IOException;

        default Listener then(Listener next) {
            return entry -> {
                added(entry);
                next.added(entry);
            };
        }

        static Listener nothing() {
            return (Entry entry) -> {};
        }
    }

    public sealed interface Shape permits Circle, Square {}

    public static final class Circle implements Shape {
        double radius = 1;
    }

    public static non-sealed class Square implements Shape {}

    @interface Audit {
        String value() default "none";

        int[] levels() default {1, 2};

        Class<?> type() default Object.class;
    }

    protected Ledger() throws IOException {
        super();
        instances++;
    }

    @Audit(value = "add", levels = {3})
    public synchronized <T extends Entry> Ledger<K> add(final K key, T entry, Object... more) {
        entries.computeIfAbsent(key, k -> new ArrayList<>()).add(entry);
        listener.ifPresent(
                l -> {
                    try {
                        l.added(entry);
                    } catch (FileNotFoundException | EOFException e) {
                        throw new UncheckedIOException(e);
                    } catch (IOException e) {
                        e.printStackTrace();
                    } finally {
                        instances ^= 1;
                    }
                });
        return this;
    }

    public BigDecimal balance(K key) {
        BigDecimal sum = BigDecimal.ZERO;
        for (Entry entry : entries.getOrDefault(key, List.of())) {
            if (entry.kind() == Kind.NOTE) continue;
            sum = sum.add(entry.amount().multiply(BigDecimal.valueOf(entry.kind().sign())));
        }
        return sum;
    }

    public Map<Kind, Long> counts() {
        return entries.values().stream()
                .flatMap(Collection::stream)
                .filter(e -> e.tags().length > 0 || !e.date().isBefore(LocalDate.now()))
                .collect(groupingBy(Entry::kind, () -> new EnumMap<>(Kind.class), counting()));
    }

    static String describe(Object value) {
        return switch (value) {
            case null -> "nothing";
            case Integer i when i > 10 && i < 1_000 -> "some " + i;
            case String s -> {
                String text = s.isEmpty() ? "empty" : s.substring(0, Math.min(3, s.length()));
                yield text + '…';
            }
            case Circle c -> "circle of " + c.radius;
            default -> value.getClass().getSimpleName() + "@" + Integer.toHexString(value.hashCode() >>> 4);
        };
    }

    static int classic(int code) {
        int result = 0;
        switch (code & 0xF) {
            case 0:
            case 1:
                result += code << 2;
                break;
            case 'a':
                result = code >= 3 ? code % 3 : ~code;
            default:
                result--;
        }
        return result;
    }

    private long search(long[] sorted, long wanted) {
        int low = 0, high = sorted.length - 1;
        outer:
        while (low <= high) {
            int middle = (low + high) >>> 1;
            do {
                if (sorted[middle] == wanted) break outer;
                if (sorted[middle] < wanted) {
                    low = middle + 1;
                    continue outer;
                }
                high = middle - 1;
            } while (false);
        }
        assert low >= 0 : "impossible: " + low;
        return low > high ? -(low + 1L) : low;
    }

    public String help(boolean isLong) {
        String block =
                """
                Usage: ledger [options] "file"
                  --help     it's this \""" text
                  --rate=%s  the rate \\
                """
                        .formatted(rate);
        StringBuilder text = new StringBuilder(block);
        for (int i = 0, n = UNITS.length; i < n; i += 2, n--) {
            text.append(i).append(". ").append(UNITS[i]).append(NEWLINE);
        }
        return isLong ? text.toString() : block.lines().findFirst().orElseThrow(IllegalStateException::new);
    }

    @Override
    public Iterator<Entry> iterator() {
        return new Iterator<Entry>() {
            private final Iterator<List<Entry>> lists = entries.values().iterator();
            private Iterator<Entry> current = Collections.emptyIterator();

            @Override
            public boolean hasNext() {
                while (!current.hasNext() && lists.hasNext()) {
                    current = lists.next().iterator();
                }
                return current.hasNext();
            }

            @Override
            public Entry next() {
                if (!hasNext()) throw new NoSuchElementException();
                return current.next();
            }
        };
    }

    public static void main(String[] args) throws Exception {
        BiFunction<Integer, Integer, Integer> add = (a, b) -> a + b;
        var names = new HashMap<String, int[]>();
        names.put("x", new int[args.length]);
        try (var ledger = new Ledger<String>();
                Reader in = new BufferedReader(new FileReader(args.length > 0 ? args[0] : "/dev/null"))) {
            int c;
            while ((c = in.read()) != -1) {
                if (c instanceof Integer boxed && boxed == SEPARATOR) System.out.print((char) c);
            }
            ledger.add("cash", new Entry("2026-01-31", 12_50L)).add("bank", Entry.NOTHING, (Object) null);
            synchronized (ledger) {
                System.out.printf("%s: %.2f%n", "cash", ledger.balance("cash"));
            }
            Supplier<List<? extends Number>> numbers = ArrayList<Integer>::new;
            int[] copy = names.get("x").clone();
            copy[0]++;
            Runnable done = () -> System.out.println(add.apply(1, -2) + " " + numbers.get());
            done.run();
        }
    }

    @Override
    public void close() {
        entries.clear();
        // nothing else; the stream isn't ours
    }
}

class Helper<T> extends java.util.AbstractList<T> {
    private final T[] items;

    @SafeVarargs
    Helper(T... items) {
        this.items = items;
    }

    @Override
    public T get(int index) {
        return items[index];
    }

    @Override
    public int size() {
        return items.length;
    }

    <R> Helper<R> map(java.util.function.Function<? super T, ? extends R> function) {
        Object[] mapped = new Object[size()];
        for (int i = 0; i < mapped.length; ++i) mapped[i] = function.apply(this.get(i));
        return new Helper<R>((R[]) mapped);
    }
}

interface Greeter {
    String greet(String name);
}
