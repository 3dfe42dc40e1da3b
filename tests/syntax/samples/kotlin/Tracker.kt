@file:JvmName("Trackers")

package org.example.tracker

import java.io.Closeable
import java.time.Duration
import java.util.concurrent.ConcurrentHashMap as SharedMap
import kotlin.math.*
import kotlinx.coroutines.flow.Flow

/**
 * Tracks where things are; it's a sample for the syntax tests.
 *
 * Has "quotes", `backticks` and [links].
 */
const val LIMIT = 1_000
private val HEX: Long = 0xFF_FFL
internal var verbose: Boolean = false
val separators = listOf(',', ';', '\t', '\'', '\\', '\u00e9', '"')
val greeting = "Hello, \"world\"\n \$5 ${separators.size + 1} $verbose"
val raw = """
    A "raw" string, $LIMIT and ${separators.map { it.code }.joinToString(", ")}
    with \n in it
""".trimIndent()

typealias Listener<T> = (item: T, at: Position?) -> Unit

data class Position(val x: Double = 0.0, val y: Double = 1.5e-3) : Comparable<Position> {
    operator fun plus(other: Position): Position = Position(x + other.x, y + other.y)

    override fun compareTo(other: Position): Int = compareValuesBy(this, other, { it.x }, { it.y })

    infix fun distanceTo(other: Position): Double {
        val dx = other.x - x
        val dy = other.y - y
        return sqrt(dx * dx + dy * dy)
    }

    companion object {
        @JvmStatic
        val ORIGIN = Position()

        fun parse(text: String): Position? {
            val (x, y) = text.split(',', limit = 2).map { it.trim().toDoubleOrNull() ?: return null }
            return Position(x, y)
        }
    }
}

enum class Kind(val label: String) {
    PERSON("person") {
        override fun weight(): Int = 3
    },
    PARCEL("parcel"),
    OTHER("?");

    open fun weight(): Int = 1
}

sealed interface Event {
    val at: Long

    data class Moved(override val at: Long, val from: Position, val to: Position) : Event

    data class Lost(override val at: Long, val reason: String? = null) : Event

    object Stopped : Event {
        override val at: Long get() = 0L
    }
}

@JvmInline
value class Id(val text: String) {
    init {
        require(text.isNotBlank()) { "an id can't be blank: '$text'" }
    }
}

interface Store<in K : Any, out V> where K : Comparable<K> {
    val size: Int

    operator fun get(key: K): V?

    fun describe(): String = "store of $size"
}

abstract class Base<T : Any>(protected val name: String) : Closeable {
    private val listeners = mutableListOf<Listener<T>>()
    protected open var count: Int = 0
        get() = field.coerceAtLeast(0)
        set(value) {
            if (value > LIMIT) throw IllegalArgumentException("too many: $value")
            field = value
        }
    val isEmpty: Boolean
        get() = count == 0

    lateinit var owner: String

    fun onChange(listener: Listener<T>) {
        listeners += listener
    }

    protected fun changed(item: T, at: Position? = null) = listeners.forEach { it(item, at) }

    abstract fun find(id: Id): T?

    override fun close() {
        listeners.clear()
    }
}

class Tracker(
    name: String,
    private val clock: () -> Long = System::currentTimeMillis,
    vararg ids: String,
) : Base<String>(name), Store<String, Position> {
    private val positions: MutableMap<String, Position> = SharedMap()
    private val history by lazy(LazyThreadSafetyMode.NONE) { ArrayDeque<Event>() }

    init {
        for (id in ids) {
            positions[id] = Position.ORIGIN
        }
    }

    constructor(name: String) : this(name, { 0L }) {
        verbose = !verbose
    }

    override val size: Int get() = positions.size

    override operator fun get(key: String): Position? = positions[key]

    override fun find(id: Id): String? = positions.keys.firstOrNull { it.startsWith(id.text, ignoreCase = true) }

    fun move(id: String, to: Position, silent: Boolean = false): Event {
        val from = positions.put(id, to) ?: Position.ORIGIN
        val event = Event.Moved(clock(), from, to)
        if (!silent && from != to) {
            changed(id, to)
        } else if (from === to) {
            return Event.Stopped
        }
        history.addLast(event)
        while (history.size > 10 || history.firstOrNull() is Event.Lost) {
            history.removeFirst()
        }
        return event
    }

    fun describe(event: Event?): String = when (event) {
        null -> "nothing"
        is Event.Moved -> {
            val distance = event.from distanceTo event.to
            "moved ${"%.2f".format(distance)} in ${Duration.ofMillis(event.at).seconds}s"
        }
        is Event.Lost -> event.reason?.let { "lost: $it" } ?: "lost"
        Event.Stopped -> "stopped"
    }

    fun grade(score: Int) = when {
        score < 0 -> throw IllegalStateException("negative")
        score in 0..10, score == 99 -> 'a'
        score !in 11 until 50 -> 'b'
        else -> '?'
    }

    @Suppress("UNCHECKED_CAST", "unused")
    @Throws(java.io.IOException::class)
    inline fun <reified T : Any> items(filter: (T) -> Boolean): List<T> {
        val found = mutableListOf<T>()
        outer@ for ((key, value) in positions) {
            for (candidate in listOf<Any>(key, value)) {
                if (candidate !is T) continue
                if (filter(candidate)) found.add(candidate) else continue@outer
                if (found.size >= LIMIT) break@outer
            }
        }
        return found as? List<T> ?: emptyList()
    }
}

suspend fun follow(tracker: Tracker, events: Flow<Event>): Int {
    var n = 0
    try {
        events.collect { event ->
            n++
            when (event) {
                is Event.Moved -> tracker.move("x", event.to)
                else -> Unit
            }
        }
    } catch (e: IllegalStateException) {
        println("stopped after $n: ${e.message!!}")
    } catch (e: Exception) {
        throw RuntimeException("it's broken", e)
    } finally {
        tracker.close()
    }
    return n
}

fun String.shout(): String = this.uppercase() + "!"

fun <T> List<T>.second(): T where T : Any = this[1]

val String.words: List<String>
    get() = split(Regex("""[\s,]+"""))

tailrec fun gcd(a: Int, b: Int): Int = if (b == 0) a else gcd(b, a % b)

operator fun Position.times(factor: Int) = Position(x * factor, y * factor)

object Registry : MutableMap<String, Tracker> by HashMap() {
    private var bits = 0b1010 shl 2 or 1

    fun summary(): String {
        val text = buildString {
            append("Registry").append('\n')
            for (i in 10 downTo 0 step 2) {
                append(i).append(if (i > 0) ", " else ".")
            }
        }
        var i = 0
        do {
            i += 1
            bits = bits xor i
        } while (i < 5 && bits != 0)
        return text.also { println(it.length) }.takeIf { it.isNotEmpty() } ?: ""
    }
}

fun interface Transform<A, B> {
    fun apply(value: A): B
}

fun compute(values: IntArray, transform: Transform<Int, Int> = Transform { it * 2 }): Map<Boolean, List<Int>> {
    val label = object : Any() {
        override fun toString() = "anonymous"
    }
    val total = values.fold(0) { sum, value -> sum + transform.apply(value) }
    val add: (Int, Int) -> Int = fun(a: Int, b: Int): Int { return a + b }
    val pair = total to label.toString()
    println("${pair.first} ${pair.second} ${add(1, -2)} ${values.size.toLong() ushr 1}")
    return values.filterNot { it < 0 }.groupBy { it % 2 == 0 }
}

fun main(args: Array<String>) {
    val tracker = Tracker("main", ids = arrayOf("a", "b")).apply {
        owner = args.getOrElse(0) { "nobody" }
        onChange { item, at -> if (verbose) println("$item is at ${at?.x}, ${at?.y}") }
    }
    tracker.use {
        val event = it.move("a", Position.parse("1.5, 2") ?: Position(y = 2.0))
        println(it.describe(event))
        it["b"]?.let { position -> println(position * 3 + Position.ORIGIN) }
    }
    Registry["main"] = tracker
    val numbers = generateSequence(1) { n -> if (n < 100) n * 3 else null }.toList()
    println(compute(numbers.toIntArray()).getValue(false).second())
    listOf("x", "yy").forEachIndexed { i, s -> println("$i: ${s.shout()} ${gcd(12, i + 1)}") }
    val result = runCatching { tracker.items<String> { name -> name.length == 1 } }
    result.onFailure { println(it::class.simpleName) }.getOrNull()?.size
    Registry.summary()
    // the end; that's all
}
