import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.util.List;
import java.util.Set;
import org.h2.mvstore.MVStore;

/**
 * A server that speaks MongoDB's wire protocol, for tests on machines that cannot download mongod.
 *
 * Arguments: PORT (0 = any free one) and, optionally, a FILE to keep the data in. Prints its URI, then runs until killed, or,
 * with -DuntilStdinCloses, until its standard input ends: then it cannot outlive the test run that started it.
 *
 * Commands run one at a time and answers are copied: without that, the document that findOneAndUpdate returns is the live
 * one, and parallel $inc calls see each other's numbers. With a FILE, each write is committed to it before it is answered, so
 * that killing this process loses nothing that was acknowledged. It calls itself 5.0 because newer drivers refuse its real
 * version.
 */
public class MongoTestServer {
  private static final Set<String> WRITES =
      Set.of("insert", "update", "delete", "findAndModify", "createIndexes", "dropIndexes", "create", "drop", "dropDatabase");

  public static void main(String[] args) throws Exception {
    String file = args.length > 1 ? args[1] : null;
    var data = MVStore.open(file);
    var backend = new H2Backend(data) {
      @Override
      public synchronized Document handleMessage(MongoMessage message) {
        var answer = super.handleMessage(message).cloneDeeply();
        if (file != null && message.getDocument().keySet().stream().anyMatch(WRITES::contains)) data.commit();
        return answer;
      }
    };
    var version = new MongoVersion() {
      public List<Integer> getVersionArray() { return List.of(5, 0, 0); }
      public int getWireVersion() { return 13; }
    };
    var server = new MongoServer(backend.version(version));
    server.bind("127.0.0.1", Integer.parseInt(args[0]));
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
    System.out.println("mongodb://127.0.0.1:" + server.getLocalAddress().getPort() + "/?directConnection=true");
    if (Boolean.getBoolean("untilStdinCloses")) {
      while (System.in.read() >= 0) {}
      Runtime.getRuntime().halt(0);
    }
    Thread.currentThread().join();
  }
}
