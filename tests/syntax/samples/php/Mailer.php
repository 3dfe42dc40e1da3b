<?php

declare(strict_types=1);

namespace Sample\Mail;

use DateTimeImmutable;
use InvalidArgumentException as BadArgument;
use Psr\Log\{LoggerInterface, NullLogger};
use function array_map, sprintf;
use const PHP_EOL;

require_once __DIR__ . '/helpers.php';

const VERSION = '1.0', RATE = 1.5e-3;
define('SAMPLE_DEBUG', (bool) getenv("SAMPLE_DEBUG"));

/**
 * Something that can be sent; it's a sample for the syntax tests.
 *
 * @template T of object
 */
interface Sendable extends \Countable
{
    public const MAX = 0xFF + 0b11 + 0o17 + 1_000;

    public function send(string $to, ?DateTimeImmutable $at = null): bool|int;
}

enum Priority: int implements \JsonSerializable
{
    case Low = 1;
    case High = 10;

    const DEFAULT = self::Low;

    public static function fromLabel(string $label): self
    {
        foreach (self::cases() as $case) {
            if ($case->name === $label) {
                return $case;
            }
        }
        throw new BadArgument("No such priority: {$label}");
    }

    public function jsonSerialize(): mixed
    {
        return ['name' => $this->name, 'value' => $this->value];
    }
}

trait Counts
{
    private int $count = 0;
    protected static array $instances = [];

    public function count(): int
    {
        return $this->count;
    }

    abstract protected function reset(): void;
}

#[\Attribute(\Attribute::TARGET_CLASS | \Attribute::IS_REPEATABLE)]
final class Template
{
    public function __construct(
        public readonly string $name,
        private array $variables = [],
        protected ?Priority $priority = Priority::DEFAULT,
    ) {
    }

    public function __get(string $name): mixed
    {
        return $this->variables[$name] ?? null;
    }

    public function with(string ...$pairs): static
    {
        $copy = clone $this;
        foreach ($pairs as $key => $value) {
            [$copy->variables[$key], $unused] = [$value, null];
        }

        return $copy;
    }

    /** Renders "everything" — even the user's 'quotes'. */
    public function render(): string
    {
        $name = $this->name;
        $list = ['a' => 1, 'b' => [2, 3]];
        $html = <<<HTML
            <p class="x">Dear {$this->variables['user']->name},</p>
            <p>it's $name, $list[a] of {$list['b'][1]} and \$5 \x41 \u{e9}</p>
            HTML;
        $raw = <<<'RAW'
            Nothing {$here} is $replaced, isn't "it"?
            RAW;
        $text = "Hello $name: ${name} {$this->greet('x')}\n\t\"quoted\"";
        $single = 'it\'s a \\ backslash and "quotes"';

        return $html . PHP_EOL . $raw . $text . $single;
    }

    private function greet(string $whom): string
    {
        return sprintf('Hi, %s!', ucfirst(strtolower($whom)));
    }
}

#[Template('default'), Template(name: 'other', variables: ['x' => 1])]
abstract class Mailer implements Sendable
{
    use Counts {
        count as protected traitCount;
        Counts::reset insteadof Other;
    }

    protected const LIMITS = ['day' => 100, 'hour' => 10, ...self::EXTRA];
    private const EXTRA = ['minute' => 1];
    public static ?self $last = null;
    private LoggerInterface $logger;
    /** @var array<string, callable> */
    private array $handlers;

    public function __construct(?LoggerInterface $logger = null, callable ...$handlers)
    {
        $this->logger = $logger ?? new NullLogger();
        $this->handlers = $handlers;
        static::$instances[] = &$this;
    }

    public function __destruct()
    {
        unset($this->handlers['x'], $this->logger);
    }

    final public function send(string $to, ?DateTimeImmutable $at = null): bool|int
    {
        if (!filter_var($to, FILTER_VALIDATE_EMAIL) || strpos($to, '@') === false) {
            throw new BadArgument(message: "Bad address: '$to'", code: 2);
        } elseif ($at?->getTimestamp() < time() and !SAMPLE_DEBUG) {
            return false;
        } else {
            $this->count++;
        }

        try {
            $result = $this->deliver($to, fn (string $line): string => trim($line) . "\r\n");
        } catch (\RuntimeException | \LogicException $error) {
            $this->logger->error('failed: {message}', ['message' => $error->getMessage()]);
            return -1;
        } finally {
            self::$last = $this;
        }

        return $result <=> 0;
    }

    abstract protected function deliver(string $to, \Closure $format): int;

    public function each(iterable $items): \Generator
    {
        foreach ($items as $i => ['name' => $name, 'tags' => [$first, , $third]]) {
            if ($i % 2 === 0) {
                continue;
            }
            yield $name => $first . ($third ?? '');
            if ($i > static::LIMITS['day'] ** 2) {
                break;
            }
        }
        $more = yield from $this->more();

        return $more ?: null;
    }

    private function more(): \Generator
    {
        $i = 10;
        while ($i --> 0) {
            yield $i;
        }
        do {
            $i += 2;
            $i <<= 1;
            $i ^= 0x0f;
        } while ($i < 20 && $i != 13);
        for ($j = 0, $k = 1; $j < 3; $j++, $k *= 2) {
            switch (true) {
                case $j > 1:
                case $k === 'x':
                    echo $j, ' ', $k;
                    break 2;
                default:
                    print("{$j}\n");
            }
        }

        return match (true) {
            $i < 0 => 'negative',
            $i === 0, $i === 1 => 'small',
            default => throw new \OverflowException((string) $i),
        };
    }

    public static function make(string $class, mixed ...$arguments): static
    {
        $method = 'reset';
        $object = new $class(...$arguments);
        $object->$method();
        $object->{'set' . ucfirst($method)}($arguments[0] ?? null);
        $anonymous = new class ($object) extends \ArrayObject implements \Stringable {
            public function __construct(private readonly object $inner)
            {
                parent::__construct([]);
            }

            public function __toString(): string
            {
                return get_class($this->inner) . '@' . spl_object_id($this);
            }
        };
        $total = array_sum(array_map(static function (int $n) use (&$anonymous, $method): int {
            static $calls = 0;
            return $n * ++$calls;
        }, [1, 2, 3]));
        assert($anonymous instanceof \Stringable && $total > 0, "it's broken");

        return $object;
    }
}

function &reference(array &$values, int|string $key = 0): mixed
{
    global $registry;
    $registry[$key] = list($a, list(, $b)) = [1, [2, 3]];
    $shell = `ls -l $key`;
    @unlink("/tmp/{$key}.tmp");
    $values[$key] ??= [$a, $b, $shell, __LINE__, __FUNCTION__];

    return $values[$key];
}

if (PHP_SAPI === 'cli') {
    $names = ['one', "two"];
    $first = strlen(...);
    goto end;
    echo $first($names[0]) ? 'yes' : 'no';
    end:
    exit(0);
}
?>
<!DOCTYPE html>
<title><?= htmlspecialchars($title ?? 'Untitled') ?></title>
<?php if ($items): ?>
  <ul class="<?php echo $class ?>">
  <?php foreach ($items as $item): ?>
    <li><?= $item ?></li>
  <?php endforeach; ?>
  </ul>
<?php elseif (isset($empty)): ?>
  <p>It's empty</p>
<?php else: ?>
  <p>Nothing</p>
<?php endif ?>
<p>done # not a comment</p>
<?php
# a shell-style comment, with an apostrophe: it's here
// and another one
echo "the end";
