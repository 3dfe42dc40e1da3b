require "minitest/autorun"

describe "a stack" do
  let(:stack) { [] }
  subject { stack.size }

  before do
    @started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  it "is empty at first" do
    expect(stack).must_be_empty
    assert_equal 0, subject, "it's not empty"
  end

  context "with an item" do
    before { stack.push(:a) }

    it("has one") { _(subject).must_equal 1 }

    it "gives it back" do
      item = stack.pop or flunk "nothing"
      assert_same :a, item
      assert_raises(IndexError) { stack.fetch(3) }
    end
  end
end

task default: %i[lint test]

namespace :db do
  desc "Move the data"
  task :migrate, [:version] => :environment do |_task, args|
    version = args[:version]&.to_i
    sh "rake db:dump", verbose: false
    Dir.glob("db/*.rb").sort.each do |file|
      number = file[/\d+/].to_i
      next unless version.nil? || number <= version

      load file
    end
  end
end
