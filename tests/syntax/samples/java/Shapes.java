package org.example.shapes;

sealed interface Shape permits Circle, Square {}

record Circle(double radius) implements Shape {}

record Square(double side) implements Shape {}

final class Shapes {
    private Shapes() {}

    static double area(Shape shape) {
        return switch (shape) {
            case Circle circle -> Math.PI * circle.radius() * circle.radius();
            case Square square when square.side() > 0 -> square.side() * square.side();
            case null, default -> 0;
        };
    }

    static String name(Object shape) {
        switch (shape) {
            case Circle circle:
                return "circle";
            case null, default:
                return "case null, default";
        }
    }
}
