# frozen_string_literal: true

require "json"
require_relative "helpers"

# A lending library; it's a sample for the syntax tests.
module Library
  VERSION = "1.2.3".freeze
  LIMITS = { books: 5, days: 21, "late fee" => 0.25, :"odd key" => nil }.freeze
  WORDS = %w[alpha beta gamma].map(&:to_sym)
  SYMBOLS = %i[open closed]
  PATTERN = /\A(?<year>\d{4})-(\d\d)\z/i
  PATH = %r{\A/books/(\d+)/?\z}x
  QUOTED = %q(it's (nested) "text")
  INTERPOLATED = %Q[#{VERSION} and [more]]

  class Error < StandardError
    attr_reader :code

    def initialize(message = "unknown", code: 1, **options)
      super(message)
      @code = code
      @options = options
    end
  end

  NotFound = Class.new(Error)

  module Countable
    def self.included(base)
      base.extend(ClassMethods)
    end

    module ClassMethods
      def instances
        @instances ||= 0
      end

      def counted!
        @instances = instances + 1
      end
    end
  end

  Point = Struct.new(:x, :y) do
    def +(other)
      Point.new(x + other.x, y + other.y)
    end

    def to_s = "(#{x}, #{y})"
  end

  class Book
    include Comparable
    include Countable

    attr_accessor :title, :author
    attr_reader :copies

    @@total = 0

    class << self
      attr_writer :default_author

      def create(title, *rest, **options, &block)
        new(title, *rest, **options).tap do |book|
          block&.call(book)
          counted!
        end
      end

      private

      def secret; end
    end

    def initialize(title, author = "Unknown", copies: 1, tags: [])
      raise ArgumentError, "title's empty" if title.nil? || title.strip.empty?

      @title, @author = title, author
      @copies = copies.clamp(1, 99)
      @tags = tags
      @@total += 1
    end

    def <=>(other)
      [author, title] <=> [other.author, other.title]
    end

    def [](index)
      @tags[index]
    end

    def []=(index, value)
      @tags[index] = value
    end

    def -@
      self.class.new(title.reverse)
    end

    def available?
      copies > 0 and not lost?
    end

    def lost? = false

    def lend!(to:, days: LIMITS[:days])
      unless available?
        raise NotFound.new("no copy of #{title.inspect} for #{to}", code: 404)
      end

      @copies -= 1
      yield self, days if block_given?
      self
    rescue NotFound, ArgumentError => e
      warn "failed: #{e.message} (#{e.class})"
      retry if (attempts ||= 0) && (attempts += 1) < 3
      raise
    else
      :lent
    ensure
      log("lend", to)
    end

    def to_h
      { title:, author: author, "copies" => @copies, tags: @tags.dup }
    end

    def method_missing(name, *args)
      case name.to_s
      when /\A(?:has|is)_(\w+)\?\z/
        @tags.include?($1)
      when "isbn", "ean"
        nil
      else
        super
      end
    end

    def respond_to_missing?(name, include_private = false)
      name.end_with?("?") || super
    end

    protected

    def log(*words)
      puts words.join(" ") if $VERBOSE && ENV["LOG"] != "0"
    end
  end

  class Catalog
    include Enumerable

    def initialize(books = [])
      @books = Hash.new { |hash, key| hash[key] = [] }
      books.each { |book| add book }
    end

    def add(book, shelf: :new)
      @books[shelf] << book
      self
    end
    alias << add

    def each(&)
      return enum_for(:each) unless block_given?

      @books.each_value do |books|
        books.each(&)
      end
    end

    def search(text, limit: 10)
      words = text.downcase.split(/[\s,]+/)
      select { |b| words.all? { |w| b.title.downcase.include?(w) } }
        .sort_by { |b| [-b.copies, b.title] }
        .first(limit)
    end

    def report
      <<~TEXT
        Catalog of #{count} books, it's #{Time.now.year}
          "quoted" #{map { |b| "#{b.title} (#{b.author})" }.join(", ")}
        #{'-' * 20}
      TEXT
    end

    def raw
      text = <<-'RAW' + <<~"OTHER".upcase
        nothing #{here} is "replaced"
        RAW
        but #{count} is
      OTHER
      text.lines.map(&:chomp)
    end

    def statistics
      total = 0
      index = 0
      while index < count
        index += 1
        next if index.even?
        break if index > 100

        total += index**2 % 7
      end
      until total < 10 do total /= 2 end
      begin
        total += 1
      end while total < 3
      for a, b in [[1, 2], [3, 4]]
        total |= a & b
      end
      1.step(10, 3) { total ^= _1 }
      total.positive? ? total : -total
    end

    def classify(value)
      case value
      in Integer | Float => n if n > 10 then "large #{n}"
      in { name: String => name, tags: [first, *] } unless name.empty?
        "#{name}/#{first}"
      in [Integer => x, ^x]
        "pair"
      in nil
        "nothing"
      else
        "something"
      end
    end
  end
end

module Helpers
  refine String do
    def shout = upcase + "!"
  end

  def self.money(cents)
    format("%.2f €", cents / 100.0)
  end

  def curry
    add = ->(a, b = 2, *c, d: 4) { a + b + c.sum + d }
    double = lambda do |x|
      x * 2
    end
    (add >> double).call(1).then { |n| n <=> 5 }
  end
end

BEGIN { puts "start" }

if __FILE__ == $PROGRAM_NAME
  catalog = Library::Catalog.new
  catalog << Library::Book.new("Dune", "Herbert", copies: 3) << Library::Book.new("It's \"us\"")
  catalog.add(Library::Book.create("Emma", "Austen", tags: %w[novel]) { |b| b[1] = :old }, shelf: :classics)
  puts catalog.report, catalog.search("du")&.first&.title
  first, *others = catalog.to_a
  first.lend!(to: "Ada", days: 7) do |book, days|
    puts "#{book.title}: #{days} days" unless days.zero?
  end
  puts(others.map { |b| b.to_h.to_json }.join("\n"))
  value = if others.any? then others.size else 0 end
  puts <<~EOS if value > 0 && !defined?(nothing)
    #{value} others, a = #{ { a: 1 }[:a] }, ?x = #{?x}, 'single'
  EOS
  puts `date +%Y`.strip, :"quoted symbol".inspect, 1_000.to_s, 0xff, 1r, 2i, 1e-3, "a" "b"
  $stderr.puts Library::WORDS.each_slice(2).to_a.flatten(1).inspect
  exit(1) and return if ARGV.include?("--fail")
end

__END__
Anything "goes" here, it's not Ruby.
