plugins {
    kotlin("jvm") version "2.0.0"
    application
    id("org.example.lint") version "1.4.2" apply false
}

group = "org.example"
version = providers.gradleProperty("release").getOrElse("1.0-SNAPSHOT")

val integration: Configuration by configurations.creating {
    extendsFrom(configurations.testImplementation.get())
}

dependencies {
    implementation("org.example:core:${property("coreVersion")}")
    testImplementation(kotlin("test"))
    constraints {
        implementation("org.example:old") { because("it's broken before 1.2") }
    }
}

tasks.withType<JavaCompile>().configureEach {
    options.compilerArgs.addAll(listOf("-Xlint:all", "-Werror"))
}

val generate by tasks.registering(Exec::class) {
    val target = layout.buildDirectory.file("generated/Version.kt")
    inputs.property("version", project.version)
    outputs.file(target)
    commandLine("sh", "-c", "echo \"const val VERSION = \\\"$version\\\"\" > ${target.get().asFile}")
    doLast {
        println("wrote ${target.get()}")
    }
}

application {
    mainClass.set("org.example.MainKt")
}
