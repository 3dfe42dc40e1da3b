// Matrices and a small text formatter; it's a sample for the syntax tests.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "matrix.h"

#define SQUARE(x) ((x) * (x))
#define LOG(level, ...) \
    do {                \
        log(level, __FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

#if defined(_WIN32) && !defined(NDEBUG)
#  pragma once
#elif __cplusplus >= 202002L
#  include <concepts>
#else
#  define NO_CONCEPTS 1
#endif

namespace sample::math {

using std::string;
template <typename T> using Row = std::vector<T>;
typedef unsigned long long (*Hash)(const char *, std::size_t);

enum class Order : std::uint8_t { RowMajor = 0, ColumnMajor = 1 << 1 };
enum { Small = 16, Large = 0xFF'FF };

struct Options {
    bool verbose = false;
    int width : 4, precision : 3;
    const char *name{"matrix"};
    union {
        float f;
        std::uint32_t bits;
    };
};

template <typename T, std::size_t N = 4>
class Matrix final : public Base<T>, private virtual Printable {
public:
    using value_type = T;
    static constexpr std::size_t size = N * N;

    explicit Matrix(T fill = T{}) : Base<T>(N), data_(size, fill), order_{Order::RowMajor} {}
    Matrix(const Matrix &other) = default;
    Matrix(Matrix &&other) noexcept : data_(std::move(other.data_)) {}
    virtual ~Matrix() = default;

    Matrix &operator=(const Matrix &) = delete;
    T &operator()(std::size_t row, std::size_t column) { return data_[row * N + column]; }
    const T &at(std::size_t i) const &;
    explicit operator bool() const noexcept { return !data_.empty(); }

    friend bool operator==(const Matrix &a, const Matrix &b) {
        return std::equal(a.data_.begin(), a.data_.end(), b.data_.begin());
    }

    template <class F, typename = decltype(std::declval<F>()(T{}))>
    auto map(F &&f) const -> Matrix<decltype(f(T{})), N> {
        Matrix<decltype(f(T{})), N> result;
        for (std::size_t i = 0; i < size; ++i) result.data_[i] = std::forward<F>(f)(data_[i]);
        return result;
    }

    void print(std::ostream &out) const override;

protected:
    mutable int hits_ = 0;

private:
    std::vector<T> data_;
    Order order_;
    template <typename, std::size_t> friend class Matrix;
};

template <typename T, std::size_t N>
const T &Matrix<T, N>::at(std::size_t i) const & {
    if (i >= size) throw std::out_of_range("index " + std::to_string(i) + " of " + std::to_string(size));
    ++hits_;
    return data_[i];
}

template <>
void Matrix<double, 2>::print(std::ostream &out) const {
    out << "[" << data_[0] << ", " << data_[1] << "]\n";
}

template <typename... Args>
constexpr auto sum(Args... args) {
    return (args + ... + 0);
}

static inline std::uint64_t hash(const char *text, std::size_t n) {
    std::uint64_t value = 0xcbf29ce484222325ULL;
    for (const char *end = text + n; text != end; text++) {
        value ^= static_cast<unsigned char>(*text);
        value *= 0x100000001b3u;
    }
    return value >> 3 | value << 61;
}

string describe(int code) {
    switch (code) {
        case 0:
            return "nothing";
        case 'a':
            return string(1, static_cast<char>(code));
        case Small: {
            const auto text = R"(a "raw" string
 with \n in it)";
            return text;
        }
        case -1:
            [[fallthrough]];
        default:
            break;
    }
    return u8"unknown \"code\" \x41\101\t" "joined" + std::to_string(code);
}

}  // namespace sample::math

namespace {

class Formatter {
public:
    Formatter() : pieces(), width(80) {}

    Formatter &add(std::string piece) {
        pieces.emplace_back(std::move(piece));
        return *this;
    }

    std::string str(char fill = ' ') const {
        std::string out;
        int column{0};
        for (const auto &piece : pieces) {
            if (column + static_cast<int>(piece.size()) > width && column > 0) {
                out += '\n';
                column = 0;
            } else if (column) {
                out.push_back(fill);
            }
            out += piece;
            column += piece.size() % 80;
        }
        return out.empty() ? std::string("''") : out;
    }

private:
    std::vector<std::string> pieces;
    int width;
};

std::map<std::string, std::function<double(double, double)>> operators = {
    {"+", [](double a, double b) { return a + b; }},
    {"-", [](double a, double b) { return a - b; }},
    {"max", [](auto a, auto b) -> double { return a > b ? a : b; }},
};

}  // namespace

extern "C" {
int sample_count(void);
void sample_visit(void (*visit)(int index, void *context), void *context);
}

int sample_count(void) { return static_cast<int>(operators.size()); }

struct Node {
    int value;
    std::unique_ptr<Node> left, right;
    Node(int value, Node *left = nullptr, Node *right = nullptr) : value(value), left(left), right(right) {}
    [[nodiscard]] int depth() const noexcept {
        return 1 + std::max(left ? left->depth() : 0, right ? right->depth() : 0);
    }
};

template <typename T>
T *find(T *first, T *last, const T &wanted) {
    while (first < last) {
        T *middle = first + (last - first) / 2;
        if (*middle == wanted) return middle;
        if (*middle < wanted)
            first = middle + 1;
        else
            last = middle;
    }
    return nullptr;
}

int main(int argc, char *argv[]) {
    using namespace sample::math;
    Matrix<float, 3> m(1.5f);
    auto scaled = m.map([scale = 2.0f](float x) mutable { return x * scale++; });
    int numbers[] = {1, 2, 3, 5, 8, 13}, *found = find(numbers, numbers + 6, 5);
    std::size_t total = sizeof(numbers) / sizeof *numbers;
    Formatter formatter;
    try {
        for (int i = 1; i < argc; i++) {
            if (argv[i][0] == '-' && argv[i][1] != '\0') continue;
            formatter.add(argv[i]).add(std::to_string(hash(argv[i], total)));
        }
        auto node = std::make_unique<Node>(1, new Node{2}, nullptr);
        total += node->depth() * ~0u;
        if (auto it = operators.find("+"); it != operators.end() && found) {
            total = static_cast<std::size_t>(it->second(*found, 1e-3));
        }
    } catch (const std::out_of_range &error) {
        LOG(1, error.what());
        return EXIT_FAILURE;
    } catch (...) {
        goto failed;
    }
    delete[] new int[3]{1, 2, 3};
    return scaled ? sum(1, 2, 3) - 6 : SQUARE(2);
failed:
    return -1;
}
